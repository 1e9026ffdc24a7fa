import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { registry } from '../../src/errors/registry.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { useEveryGrant } from '../attacks/every-grant.ts'
import { LIMITS_OFF } from '../attacks/limits-off.ts'
import { Needles } from '../attacks/needles.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { type FreshDatabase, sqliteFiles } from '../setup/fresh-database.ts'
import { grantsOn } from '../setup/grants.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { trustedIssuers } from '../setup/trusted-issuers.ts'
import { type Page, parseExposition } from './parse-exposition.ts'
import { readQuery } from './promql.ts'

const DEPLOY = join(import.meta.dirname, '..', '..', 'deploy')
/** Labels that Prometheus adds to all scraped series. */
const OF_THE_SCRAPE = ['instance', 'job']

const target = z.object({ expr: z.string(), legendFormat: z.string() })
const panel = z.object({ id: z.number(), type: z.string(), title: z.string(), targets: z.array(target).default([]) })
const dashboard = z
  .object({
    panels: z.array(
      panel.extend({ gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }) }),
    ),
    templating: z.object({ list: z.array(z.object({ name: z.string(), definition: z.string().default('') })) }),
  })
  .parse(JSON.parse(readFileSync(join(DEPLOY, 'grafana', 'qscope.json'), 'utf8')))

const alerts = z
  .object({
    groups: z.array(
      z.object({
        name: z.string(),
        rules: z.array(
          z.strictObject({
            alert: z.string().regex(/^QScope[A-Z]\w+$/),
            expr: z.string(),
            for: z
              .string()
              .regex(/^\d+m$/)
              .optional(),
            labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
            annotations: z.strictObject({ summary: z.string(), description: z.string() }),
          }),
        ),
      }),
    ),
  })
  .parse(parse(readFileSync(join(DEPLOY, 'prometheus', 'alerts.yaml'), 'utf8')))
const rules = alerts.groups.flatMap((group) => group.rules)

/** Replaces variables of a query as Grafana does. */
const filledIn = (expr: string) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')

const queries = [
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ of: `panel “${title}”`, expr: filledIn(expr), shown: legendFormat })),
  ),
  ...rules.map(({ alert, expr, annotations }) => ({
    of: `alert ${alert}`,
    expr,
    shown: Object.values(annotations)
      .join(' ')
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, '{{$1}}'),
  })),
]

describe('dashboard and alerts', () => {
  let database: FreshDatabase
  let server: TestServer
  let page: Page
  /** The labels of each exported metric, under the names that queries use. */
  const labelsOf = new Map<string, Set<string>>()
  const valuesOf = new Map<string, Set<string>>()

  beforeAll(async () => {
    const issuers = await trustedIssuers(suiteFolder())
    database = await sqliteFiles.create()
    const variables = {
      ...LIMITS_OFF,
      QSCOPE_TRUSTED_ISSUERS_FILE: issuers.file,
      QSCOPE_AUDIT_LOG_FILE: join(suiteFolder(), 'audit.jsonl'),
    }
    server = await startServer(database.url, undefined, undefined, variables)
    for (const follower of server.app.auditFollowers) follower.start()
    await useEveryGrant(server, issuers.ci, new Needles())
    const grants = grantsOn(server)
    const web = await grants.webClient({ config: { refreshTokenReplayWindow: { seconds: 10n } } })
    const { refreshToken } = await grants.signIn(web)
    const { refreshToken: method } = TokenService.method
    // One of these calls wins a race, and the others lose it.
    await Promise.all(Array.from({ length: 10 }, () => server.call(method, { client: web.client, refreshToken })))
    await server.app.purge.round()
    // The lag of followers is exported after their first read.
    const lags = () => server.app.auditFollowers.map((each) => each.metrics().lagMs)
    await vi.waitFor(() => expect(lags()).not.toContain(null), { timeout: 60_000 })
    page = parseExposition((await server.telemetry.metrics()).text)
    for (const { name, labels } of page.series) {
      const labelNames = labelsOf.get(name) ?? new Set(OF_THE_SCRAPE)
      labelsOf.set(name, labelNames)
      for (const [label, value] of Object.entries(labels)) {
        labelNames.add(label)
        valuesOf.set(label, (valuesOf.get(label) ?? new Set()).add(value))
      }
    }
    // A status becomes a label with its first answer.
    for (const { status } of Object.values(registry)) valuesOf.get('code')?.add(status)
    for (const status of ['CANCELLED', 'DEADLINE_EXCEEDED']) valuesOf.get('code')?.add(status)
  }, 300_000)
  afterAll(async () => {
    await server.stop()
    await database.drop()
  })

  it('have queries to check', () => {
    expect(queries.length).toBeGreaterThan(60)
    expect(rules.length).toBeGreaterThan(10)
  })

  it.each(queries)('query exported metrics: $of, $expr', ({ expr, shown }) => {
    const { selectors, groupings } = readQuery(expr)
    expect(selectors.length).toBeGreaterThan(0)
    const known = new Set<string>()
    for (const { metric, matchers } of selectors) {
      const labels = labelsOf.get(metric)
      expect(labels, metric).toBeDefined()
      for (const label of labels ?? []) known.add(label)
      for (const { label, operator, value } of matchers) {
        expect([...(labels ?? [])], `a label of ${metric}`).toContain(label)
        if (OF_THE_SCRAPE.includes(label)) continue
        for (const each of operator.endsWith('~') ? value.split('|') : [value]) {
          expect([...(valuesOf.get(label) ?? [])], `a value of ${label}`).toContain(each)
        }
      }
    }
    for (const label of groupings) expect([...known], 'a label to group by').toContain(label)
    for (const [, label] of shown.matchAll(/\{\{(\w+)\}\}/g))
      expect(groupings, 'a label that is shown').toContain(label)
  })

  it('query rates only of counters, and quantiles only of histograms', () => {
    for (const { of, expr } of queries) {
      const rated = [...expr.matchAll(/\b(?:rate|increase)\((\w+)/g)].map(([, name = '']) => name)
      for (const name of rated) {
        const base = page.types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')
        expect(['counter', 'histogram'], `${of}: ${name}`).toContain(page.types.get(base))
      }
      const [, quantiled] = /histogram_quantile\(.*?(?:rate\()(\w+)/.exec(expr) ?? []
      if (quantiled !== undefined) expect(page.types.get(quantiled.replace(/_bucket$/, '')), of).toBe('histogram')
    }
  })

  it('use every metric of QScope in a panel or an alert', () => {
    const used = new Set(queries.flatMap(({ expr }) => readQuery(expr).selectors.map(({ metric }) => metric)))
    const unused = [...page.types.keys()]
      .filter((name) => name.startsWith('qscope_'))
      .filter((name) => !used.has(name) && !['bucket', 'sum', 'count'].some((part) => used.has(`${name}_${part}`)))
    expect(unused).toEqual([])
  })

  it('select instances by a metric that every server exports', () => {
    const definitions = dashboard.templating.list.map(
      ({ definition }) => /^label_values\((\w+), \w+\)$/.exec(definition)?.[1],
    )
    const asked = definitions.filter((metric) => metric !== undefined)
    expect(asked).not.toEqual([])
    for (const metric of asked) expect(page.types.has(metric)).toBe(true)
  })

  it('have a unique id and place for each panel', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [index, { title, gridPos: one }] of dashboard.panels.entries()) {
      expect(one.x + one.w, title).toBeLessThanOrEqual(24)
      for (const { title: other, gridPos: two } of dashboard.panels.slice(index + 1)) {
        const apart =
          one.x + one.w <= two.x || two.x + two.w <= one.x || one.y + one.h <= two.y || two.y + two.h <= one.y
        expect(apart, `${title} and ${other}`).toBe(true)
      }
    }
  })

  it('have unique names of alerts', () => {
    const names = rules.map(({ alert }) => alert)
    expect(new Set(names).size).toBe(names.length)
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCells } from '../../bench/cells.ts'
import { ECHO, FLOOR } from '../../bench/peers/yardsticks.ts'
import { planOf } from '../../bench/plan.ts'
import { thisMachine } from '../../bench/report/machine.ts'
import { resultsPicture } from '../../bench/report/svg.ts'
import { reportText } from '../../bench/report/text.ts'
import { Bench, type BenchOutcome } from '../../bench/run/bench.ts'
import { judge } from '../../bench/targets.ts'

const ROWS = ['introspect', 'introspect-revoked', 'introspect-garbage', 'verify', 'batch-introspect', 'mint', 'refresh']

describe('the benchmark, on a hundred tokens', () => {
  const root = mkdtempSync(join(tmpdir(), 'qscope-bench-'))
  let outcome: BenchOutcome

  beforeAll(async () => {
    outcome = await Bench.run(planOf(parseCells(['sqlite/*/100/4/1w', 'sqlite/start/100/1/1w'])), {
      entry: join(import.meta.dirname, '..', '..', 'src', 'main.ts'),
      root,
      fresh: false,
      pace: { rounds: 1, durationMs: 500, warmUpMs: 50 },
      trials: { starts: 1, soakMs: 0 },
      tell: () => undefined,
    })
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  const cell = (name: string) => {
    const found = outcome.groups.flatMap(({ results }) => results).find((result) => result.name === name)
    if (found?.kind !== 'measured') throw new Error(`${name} was not measured: ${JSON.stringify(found)}`)
    return found
  }

  it.each([FLOOR, ECHO, ...[...ROWS, 'revoke'].map((row) => `sqlite/${row}/100/4/1w`)])(
    'measures %s without an error and checks the answers',
    (name) => {
      const { calls, errors, perSecond, p50Ms, p99Ms } = cell(name)
      expect(errors).toEqual({})
      expect(calls).toBeGreaterThan(0)
      expect(perSecond).toBeGreaterThan(0)
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
    },
  )

  it('counts the tokens of a batch', () => {
    const { calls, perSecond } = cell('sqlite/batch-introspect/100/4/1w')
    expect(perSecond / (calls / 0.5)).toBeCloseTo(100, -1)
  })

  it('times a start', () => {
    expect(outcome.trials[0]).toMatchObject({ kind: 'start', name: 'sqlite/start/100/1/1w' })
  })

  it('prints and draws its results', () => {
    const common = { date: '2026-01-01T00:00:00.000Z', machine: thisMachine(), rounds: 1, seconds: 0.5 }
    const results = { ...common, ...outcome, targets: judge(outcome) }
    expect(reportText(results)).toContain('| sqlite/mint/100/4/1w')
    expect(resultsPicture(results)).toMatch(/^<svg .*<\/svg>\n$/s)
  })
})

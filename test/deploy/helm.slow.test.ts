import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../e2e/process.ts'
import { at, documentsOf, isKnownVariable, isNode, type Node, nodeOf, nodesOf, ROOT } from './documents.ts'
import { decodeStrictly, hasKubernetesTools, helmLint, helmTemplate, kustomizeBuild } from './go-tools.ts'
import { nameOf, ofKind, podOf, validate } from './manifests.ts'

const CHART = join(ROOT, 'deploy', 'helm')
const KUBERNETES = join(ROOT, 'deploy', 'kubernetes')
/** Options that turn on everything that is off by default. */
const ALL_ON = [
  ...['--set', 'autoscaling.enabled=true,serviceMonitor.enabled=true,serviceMonitor.tlsConfig.serverName=qscope'],
  ...['--set-json', 'networkPolicy.httpFrom=[{"namespaceSelector":{}}]'],
  ...['--set-json', 'networkPolicy.extraEgress=[{"ports":[{"protocol":"TCP","port":443}]}]'],
  ...['--set-json', 'extraVolumes=[{"name":"issuers","configMap":{"name":"issuers"}}]'],
  ...['--set-json', 'extraVolumeMounts=[{"name":"issuers","mountPath":"/etc/qscope/issuers","readOnly":true}]'],
  ...['--set-json', 'imagePullSecrets=[{"name":"registry"}]'],
  ...['--set-json', 'tolerations=[{"key":"dedicated","operator":"Exists"}]'],
  ...['--set-json', 'affinity={"nodeAffinity":{}}', '--set-json', 'nodeSelector={"disk":"ssd"}'],
  ...['--set', 'image.pullPolicy=Always,priorityClassName=high,podLabels.team=identity,podAnnotations.note=x'],
  ...['--set', 'serviceAccount.annotations.note=x,migrate.annotations.note=x,serviceMonitor.labels.release=x'],
]

/** Labels and annotations of Helm's conventions, which kustomize does not set. */
const OF_HELM = new Set([
  ...['app.kubernetes.io/instance', 'app.kubernetes.io/version', 'app.kubernetes.io/managed-by', 'helm.sh/chart'],
  'checksum/config',
])

/** A document without what Helm adds, and without annotations that are empty then. */
function withoutHelm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutHelm)
  if (!isNode(value)) return value
  const kept = Object.entries(value).filter(([name]) => !OF_HELM.has(name))
  const members = kept.map(([name, member]) => [name, withoutHelm(member)] as const)
  return Object.fromEntries(members.filter(([name, member]) => !(name === 'annotations' && isEmpty(member))))
}

const isEmpty = (value: unknown) => isNode(value) && Object.keys(value).length === 0

/** Documents by kind and name, without the hashes that both tools append to names. */
function byName(manifests: string): ReadonlyMap<string, unknown> {
  const plain = manifests
    .replaceAll(/(name: qscope)-[a-z0-9]{10}$/gm, '$1')
    .replaceAll(/(name: qscope-migrate)-[a-f0-9]{8}$/gm, '$1')
  return new Map(documentsOf(plain).map((document) => [nameOf(document), withoutHelm(document)]))
}

const sorted = (names: Iterable<string>) => [...names].sort()

describe.skipIf(!hasKubernetesTools)('the Helm chart', () => {
  it('renders the same manifests as kustomize from the base', () => {
    const base = byName(kustomizeBuild(join(KUBERNETES, 'base')))
    const chart = byName(helmTemplate(CHART, 'qscope'))
    expect(base.size).toBeGreaterThan(7)
    expect(sorted(chart.keys())).toEqual(sorted(base.keys()))
    for (const [name, document] of base) expect(chart.get(name), name).toEqual(document)
  })

  it('renders the same manifests as kustomize from the example overlay, with equal values', () => {
    const overlay = byName(kustomizeBuild(join(KUBERNETES, 'overlays', 'example')))
    const values = 'image.repository=images.example.com/qscope,replicas=3'
    const issuer = 'config.QSCOPE_ISSUER=https://tokens.example.com'
    const chart = byName(helmTemplate(CHART, 'qscope', '--set', values, '--set', issuer))
    for (const [name, document] of overlay) {
      // Helm creates the namespace itself, and sets it in other objects.
      if (name === 'Namespace/tokens') continue
      expect(chart.get(name), name).toEqual(inNoNamespace(nodeOf(document)))
    }
    expect(chart.size).toBe(overlay.size - 1)
  })

  it.each([
    ['its defaults', []],
    ['everything on', ALL_ON],
    [
      'everything off',
      ['--set', 'migrate.enabled=false,podDisruptionBudget.enabled=false,networkPolicy.enabled=false'],
    ],
  ])(
    'renders manifests with %s that the decoders of Kubernetes and of the Prometheus operator accept',
    (_what, options) => {
      const manifests = helmTemplate(CHART, 'tokens', ...options)
      decodeStrictly(manifests)
      for (const document of documentsOf(manifests)) {
        if (document['kind'] !== 'ServiceMonitor') validate(document)
      }
    },
  )

  it('is checked by a decoder that refuses an unknown field of a ServiceMonitor', () => {
    const manifests = helmTemplate(CHART, 'tokens', ...ALL_ON, '--set', 'serviceMonitor.tlsConfig.caFyle=x')
    expect(() => decodeStrictly(manifests)).toThrow(/unknown field "spec.endpoints\[0\].tlsConfig.caFyle"/)
  })

  it('passes helm lint without warnings', () => {
    for (const options of [[], ALL_ON]) expect(helmLint(CHART, ...options)).not.toMatch(/WARNING|ERROR/)
  })

  it('names all objects after the release, so that two releases can coexist', () => {
    const names = (release: string) => documentsOf(helmTemplate(CHART, release)).map(nameOf)
    const [first, second] = [new Set(names('orders')), names('reports')]
    expect(second.filter((name) => first.has(name))).toEqual([])
  })

  it('renames the migration job when the version or the configuration changes, and only then', () => {
    const job = (...options: string[]) =>
      ofKind(documentsOf(helmTemplate(CHART, 'qscope', ...options)), 'Job').map((document) =>
        at(document, 'metadata', 'name'),
      )
    expect(job('--set', 'replicas=5')).toEqual(job())
    expect(job('--set', 'image.tag=0.2.0')).not.toEqual(job())
    expect(job('--set', 'config.QSCOPE_LOG_LEVEL=debug')).not.toEqual(job())
  })

  it('opens the HTTP port only to the named peers when metrics are scraped', () => {
    const documents = documentsOf(helmTemplate(CHART, 'qscope', ...ALL_ON))
    const [deployment = {}] = ofKind(documents, 'Deployment')
    const ports = nodesOf(at(podOf(deployment), 'spec', 'containers', 0, 'ports'))
    expect(ports).toContainEqual({ name: 'http', containerPort: 8080 })
    const [configMap = {}] = ofKind(documents, 'ConfigMap')
    expect(at(configMap, 'data', 'QSCOPE_HTTP_LISTEN')).toBe('0.0.0.0:8080')
    const rules = ofKind(documents, 'NetworkPolicy').flatMap((policy) => nodesOf(nodeOf(policy['spec'])['ingress']))
    const toHttp = rules.filter((rule) => nodesOf(rule['ports']).some(({ port }) => port === 'http'))
    expect(toHttp.map(({ from }) => from)).toEqual([[{ namespaceSelector: {} }]])
    const closed = helmTemplate(CHART, 'qscope', '--set', 'http.enabled=true')
    expect(
      ofKind(documentsOf(closed), 'NetworkPolicy')
        .map((policy) => JSON.stringify(policy))
        .join(),
    ).not.toContain('"port":"http"')
  })

  it('writes large numbers into variables with all digits', async () => {
    const file = join(await temporaryDirectory(), 'values.yaml')
    writeFileSync(file, 'config: { QSCOPE_SQLITE_WAL_LIMIT: 67108864, QSCOPE_WORKERS: 4, QSCOPE_INSECURE: true }')
    const [configMap = {}] = ofKind(documentsOf(helmTemplate(CHART, 'qscope', '--values', file)), 'ConfigMap')
    expect(configMap['data']).toMatchObject({
      QSCOPE_SQLITE_WAL_LIMIT: '67108864',
      QSCOPE_WORKERS: '4',
      QSCOPE_INSECURE: 'true',
    })
  })

  it('sets no number of replicas when there is an autoscaler', () => {
    const documents = documentsOf(helmTemplate(CHART, 'qscope', ...ALL_ON))
    expect(nodeOf(at(ofKind(documents, 'Deployment')[0], 'spec'))).not.toHaveProperty('replicas')
    expect(at(ofKind(documents, 'HorizontalPodAutoscaler')[0], 'spec', 'scaleTargetRef', 'name')).toBe('qscope')
  })

  it.each([
    ['an unknown value', 'replica=3', /additional properties 'replica' not allowed/],
    ['a variable that the chart sets', 'config.QSCOPE_GRPC_LISTEN=0.0.0.0:1', /QSCOPE_GRPC_LISTEN/],
    ['a secret in a variable', 'config.QSCOPE_DATABASE_URL=mysql://u:p@h/d', /QSCOPE_DATABASE_URL/],
    ['no list of database ports, which would open all', 'networkPolicy.databasePorts=null', /databasePorts/],
    ['an empty list of database ports, which would open all', 'networkPolicy.databasePorts={}', /databasePorts/],
    ['no label of callers, which would let all in', 'networkPolicy.clientLabels=null', /clientLabels/],
    ['no rules for the network, yet a policy', 'networkPolicy=null', /networkPolicy/],
    ['an issuer that is no URL', 'config.QSCOPE_ISSUER=tokens', /QSCOPE_ISSUER/],
  ])('refuses %s', (_what, value, why) => {
    expect(() => helmTemplate(CHART, 'qscope', '--set', value)).toThrow(why)
  })
})

describe('the values of the Helm chart', () => {
  const values = nodeOf(documentsOf(readFileSync(join(CHART, 'values.yaml'), 'utf8'), '1.2')[0])
  const schema = nodeOf(JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')))

  it('are all described in the schema, which describes no others', () => {
    const check = (value: Node, described: Node, path: string) => {
      const properties = nodeOf(described['properties'])
      const names = path === '' ? [...Object.keys(value), 'global'] : Object.keys(value)
      expect(sorted(Object.keys(properties)), path).toEqual(sorted(names))
      for (const [name, property] of Object.entries(properties)) {
        expect(nodeOf(property)['description'], `${path}${name}`).toMatch(/\.$/)
        const inner = value[name]
        if (isNode(inner) && nodeOf(property)['additionalProperties'] === false) {
          check(inner, nodeOf(property), `${path}${name}.`)
        }
      }
    }
    check(values, schema, '')
  })

  it('set only variables that QScope knows', () => {
    expect(Object.keys(nodeOf(values['config'])).filter((name) => !isKnownVariable(name))).toEqual([])
  })

  it('have the version of the release', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const [chart] = documentsOf(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'), '1.2')
    expect(chart).toMatchObject({ version, appVersion: version })
  })
})

function inNoNamespace(document: Node): Node {
  const { namespace: _, ...metadata } = nodeOf(document['metadata'])
  return { ...document, metadata }
}

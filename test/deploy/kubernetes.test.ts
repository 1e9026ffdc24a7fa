import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHANNEL_SETTINGS } from '../../scripts/service-config.ts'
import { parseDuration } from '../../src/config/duration.ts'
import { at, documentsIn, documentsOf, isKnownVariable, nodeOf, nodesOf, ROOT } from './documents.ts'
import { nameOf, ofKind, podOf, validate, workloadsOf } from './manifests.ts'

const KUBERNETES = 'deploy/kubernetes'

const read = (file: string) => readFileSync(join(ROOT, KUBERNETES, file), 'utf8')
const secrets = documentsOf(read('secrets.example.yaml'))
const base = documentsIn(`${KUBERNETES}/base`)

function variablesOf(env: string): ReadonlyMap<string, string> {
  const lines = env.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

const env = variablesOf(read('base/qscope.env'))

describe('the manifests', () => {
  it.each([...base, ...secrets].map((document) => [nameOf(document), document] as const))(
    '%s follows the schema of Kubernetes',
    (_name, document) => validate(document),
  )

  it('the kustomization names existing files with manifests', () => {
    const [kustomization] = documentsOf(read('base/kustomization.yaml'))
    const resources = at(kustomization, 'resources')
    expect(documentsIn(`${KUBERNETES}/base`).length).toBeGreaterThanOrEqual(8)
    for (const file of Array.isArray(resources) ? resources : []) expect(read(`base/${file}`)).toContain('kind:')
  })

  it('set only variables that QScope knows', () => {
    expect([...env.keys()].filter((name) => !isKnownVariable(name))).toEqual([])
    expect(env.size).toBeGreaterThan(5)
  })

  it('mount each file that a variable names from a secret of the examples', () => {
    const [deployment = {}] = ofKind(base, 'Deployment')
    const spec = nodeOf(at(podOf(deployment), 'spec'))
    const mounts = nodesOf(at(spec, 'containers', 0, 'volumeMounts'))
    for (const [, path] of [...env].filter(([name]) => name.endsWith('_FILE'))) {
      const mount = mounts.find(({ mountPath }) => path.startsWith(`${String(mountPath)}/`))
      const volume = nodesOf(spec['volumes']).find(({ name }) => name === mount?.['name'])
      const secret = secrets.find((document) => at(document, 'metadata', 'name') === at(volume, 'secret', 'secretName'))
      expect(Object.keys(nodeOf(at(secret, 'stringData')))).toContain(
        path.slice(String(mount?.['mountPath']).length + 1),
      )
    }
  })

  it('give clients enough time to find a new pod before the next old one stops', () => {
    const [deployment = {}] = ofKind(base, 'Deployment')
    const minReadySeconds = Number(at(deployment, 'spec', 'minReadySeconds'))
    // gRPC resolves a name at most every 30 s.
    expect(minReadySeconds).toBeGreaterThan(30 + CHANNEL_SETTINGS.maxReconnectBackoffMs / 1_000)
    expect(at(deployment, 'spec', 'strategy', 'rollingUpdate', 'maxUnavailable')).toBe(0)
    const written = JSON.parse(readFileSync(join(ROOT, 'clients/channel-settings.json'), 'utf8'))
    expect(written).toEqual(CHANNEL_SETTINGS)
  })

  it.each(workloadsOf(base).map((workload) => [nameOf(workload), workload] as const))(
    '%s mounts its volumes, runs as the service account, and has a restricted security context',
    (_name, workload) => {
      const spec = nodeOf(at(podOf(workload), 'spec'))
      const volumes = nodesOf(spec['volumes']).map(({ name }) => name)
      const container = nodeOf(at(spec, 'containers', 0))
      expect(nodesOf(container['volumeMounts']).map(({ name }) => name)).toEqual(volumes)
      const accounts = ofKind(base, 'ServiceAccount').map((account) => at(account, 'metadata', 'name'))
      expect(accounts).toContain(spec['serviceAccountName'])
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      })
      expect(container['securityContext']).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(container).toHaveProperty('resources.limits.memory')
      expect(container).toMatchObject({ envFrom: [{ configMapRef: { name: 'qscope' } }] })
    },
  )

  it('select pods by existing labels, and ports by existing names', () => {
    const pods = workloadsOf(base).map((workload) => nodeOf(at(podOf(workload), 'metadata', 'labels')))
    const selectors = [
      ...ofKind(base, 'Service').map((service) => at(service, 'spec', 'selector')),
      ...ofKind(base, 'Deployment').map((deployment) => at(deployment, 'spec', 'selector', 'matchLabels')),
      ...ofKind(base, 'PodDisruptionBudget').map((budget) => at(budget, 'spec', 'selector', 'matchLabels')),
      ...ofKind(base, 'NetworkPolicy').map((policy) => at(policy, 'spec', 'podSelector', 'matchLabels')),
    ].map(nodeOf)
    expect(selectors.length).toBe(6)
    for (const selector of selectors) {
      const chosen = pods.filter((labels) => Object.entries(selector).every(([name, value]) => labels[name] === value))
      // No service selects the pods of the job.
      expect(chosen.length).toBe(1)
    }
    const [deployment = {}] = ofKind(base, 'Deployment')
    const ports = nodesOf(at(podOf(deployment), 'spec', 'containers', 0, 'ports'))
    for (const service of ofKind(base, 'Service')) {
      expect(ports.map(({ name }) => name)).toContain(at(service, 'spec', 'ports', 0, 'targetPort'))
    }
    expect(env.get('QSCOPE_GRPC_LISTEN')).toBe(`0.0.0.0:${String(ports[0]?.['containerPort'])}`)
  })

  it('have a grace period longer than the preStop hook and QSCOPE_SHUTDOWN_GRACE', () => {
    const [deployment = {}] = ofKind(base, 'Deployment')
    const spec = nodeOf(at(podOf(deployment), 'spec'))
    const preStop = Number(at(spec, 'containers', 0, 'lifecycle', 'preStop', 'sleep', 'seconds')) * 1_000
    const grace = parseDuration(env.get('QSCOPE_SHUTDOWN_GRACE') ?? '') ?? Number.POSITIVE_INFINITY
    expect(Number(spec['terminationGracePeriodSeconds']) * 1_000).toBeGreaterThan(preStop + grace)
  })

  it('probe with qscope health', () => {
    const [deployment = {}] = ofKind(base, 'Deployment')
    const container = nodeOf(at(podOf(deployment), 'spec', 'containers', 0))
    const commands = ['startupProbe', 'readinessProbe', 'livenessProbe'].map((probe) =>
      at(container, probe, 'exec', 'command'),
    )
    expect(commands).toEqual([
      ['qscope', 'health', '--alive'],
      ['qscope', 'health'],
      ['qscope', 'health', '--alive', '--timeout', '10s'],
    ])
  })

  it('contain no secret', () => {
    expect(ofKind(base, 'Secret')).toEqual([])
    const values = secrets.flatMap((document) => Object.values(nodeOf(at(document, 'stringData'))))
    for (const value of values) expect(value).toMatch(/PASSWORD|CONTENT|PEM/)
  })
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it, vi } from 'vitest'
import { at, composeFile, documentsOf, nodeOf, ROOT } from './documents.ts'
import { composeModule, decodeStrictly, go, hasKubernetesTools, kustomizeBuild } from './go-tools.ts'
import { ofKind, podOf, validate as validateManifest, workloadsOf } from './manifests.ts'

const KUBERNETES = join(ROOT, 'deploy', 'kubernetes')
vi.setConfig({ testTimeout: 600_000 })

describe.skipIf(go === null)('the schema of Compose', () => {
  const validatorOf = () => {
    const schema = JSON.parse(readFileSync(join(composeModule(), 'schema', 'compose-spec.json'), 'utf8'))
    return new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(schema)
  }

  it.each(['compose.yaml', 'compose.tls.yaml'])('accepts %s', (file) => {
    const validate = validatorOf()
    validate(composeFile(file))
    expect(validate.errors).toBeNull()
  })

  it('refuses an unknown key', () => {
    expect(validatorOf()({ services: { qscope: { image: 'qscope', cap_dropp: ['ALL'] } } })).toBe(false)
  })
})

describe.skipIf(!hasKubernetesTools)('kustomize', () => {
  it.each(['base', 'overlays/example'])('builds manifests from %s that the decoder of Kubernetes accepts', (folder) => {
    const built = kustomizeBuild(join(KUBERNETES, folder))
    decodeStrictly(built)
    const documents = documentsOf(built)
    for (const document of documents) validateManifest(document)
    const [configMap = {}] = ofKind(documents, 'ConfigMap')
    expect(Object.keys(nodeOf(configMap['data']))).toContain('QSCOPE_ISSUER')
    for (const workload of workloadsOf(documents)) {
      const named = at(podOf(workload), 'spec', 'containers', 0, 'envFrom', 0, 'configMapRef', 'name')
      expect(named).toBe(at(configMap, 'metadata', 'name'))
    }
  })
})

describe.skipIf(!hasKubernetesTools)('the decoder of Kubernetes', () => {
  it('accepts the example secrets', () =>
    decodeStrictly(readFileSync(join(KUBERNETES, 'secrets.example.yaml'), 'utf8')))

  it('refuses a misspelt field', () => {
    const service = readFileSync(join(KUBERNETES, 'base', 'service.yaml'), 'utf8').replaceAll(
      '  selector:',
      '  selektor:',
    )
    expect(() => decodeStrictly(service)).toThrow(/unknown field "spec.selektor"/)
  })
})

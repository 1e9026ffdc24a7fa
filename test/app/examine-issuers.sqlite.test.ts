import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  issuerKeyFindings,
  issuerRuleFindings,
  registeredIssuerFindings,
} from '../../src/app/doctor/examine-issuers.ts'
import { HealthMonitor } from '../../src/app/health-monitor.ts'
import { assertIssuerKeyFiles } from '../../src/app/trust/issuer-problems.ts'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { TrustService } from '../../src/gen/qscope/v1/trust_service_pb.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'
import { keyServer } from '../setup/trusted-issuers.ts'
import { quiet } from '../stores/given.ts'

const folder = suiteFolder()
const good = jwksOf(signingPair('ES256'))
const RULE = { claims: { sub: 'a' }, client_id: 'orders', scopes: ['read'] }
writeFileSync(join(folder, 'good.json'), good)
writeFileSync(join(folder, 'nonsense.json'), '<html>')
writeFileSync(join(folder, 'empty.json'), '')
writeFileSync(join(folder, 'no-keys.json'), '{"keys":[]}')
writeFileSync(join(folder, 'large.json'), JSON.stringify({ ...JSON.parse(good), x: 'x'.repeat(300_000) }))
mkdirSync(join(folder, 'folder.json'))

function configOf(...keys: readonly Readonly<Record<string, string>>[]) {
  const issuers = keys.map((where, index) => ({ issuer: `https://i${index}.example`, ...where, rules: [RULE] }))
  const file = join(folder, 'issuers.json')
  writeFileSync(file, JSON.stringify({ issuers }))
  return parseConfig(readEnvironment({ QSCOPE_TRUSTED_ISSUERS_FILE: file }))
}

async function problemsOf(...files: readonly string[]): Promise<readonly string[]> {
  try {
    await assertIssuerKeyFiles(configOf(...files.map((file) => ({ jwks_file: file }))))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

const BAD: readonly (readonly [string, RegExp])[] = [
  ['missing.json', /ENOENT/],
  ['nonsense.json', /is not a JSON Web Key Set/],
  ['empty.json', /is not a JSON Web Key Set/],
  ['no-keys.json', /has no usable key/],
  ['large.json', /is larger than 256 KiB/],
  ['folder.json', /is not a file/],
  ['/dev/zero', /is not a file/],
]

describe('a rule of a trusted issuer', () => {
  it('that does not match its client is a finding of the doctor, and is logged at each start', async () => {
    const database = await sqliteFiles.create()
    const rules = [
      { claims: { sub: 'a' }, client_id: 'ghost', scopes: ['read'] },
      { claims: { sub: 'b' }, client_id: 'orders', scopes: ['read', 'write', 'admin'] },
      { claims: { sub: 'c' }, client_id: 'no-grant', scopes: ['read'] },
      { claims: { sub: 'd' }, client_id: 'fits', scopes: ['read'] },
    ]
    const file = join(folder, 'rules.json')
    writeFileSync(file, JSON.stringify({ issuers: [{ issuer: 'https://i.example', jwks_file: 'good.json', rules }] }))
    const server = await startServer(database.url, undefined, undefined, { QSCOPE_TRUSTED_ISSUERS_FILE: file })
    try {
      const jwt = [GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER]
      await server.registerClient({ clientId: 'orders', scopes: ['read'], grantTypes: jwt })
      await server.registerClient({ clientId: 'no-grant', scopes: ['read'] })
      await server.registerClient({ clientId: 'fits', scopes: ['read'], grantTypes: jwt })
      const findings = await issuerRuleFindings(server.app.trustedIssuers, server.app.backend, quiet)
      expect(findings.map(({ state, finding }) => [state, finding])).toEqual([
        ['warning', 'rule 0 of https://i.example names the client ghost, which does not exist'],
        ['warning', 'rule 1 of https://i.example gives scopes that the client orders does not have: write admin'],
        ['warning', 'rule 2 of https://i.example names the client no-grant, which may not use the grant jwt_bearer'],
      ])
      const warnings: string[] = []
      const warn = (_fields: object, text: string) => void warnings.push(text)
      const monitor = new HealthMonitor(server.app, { ...quiet, warn }, 1_000)
      await monitor.start()
      monitor.stop()
      expect(warnings).toEqual(expect.arrayContaining(findings.map(({ finding }) => finding)))
    } finally {
      await server.stop()
      await database.drop()
    }
  })
})

describe('an issuer of the database', () => {
  it('is a finding if its keys are unavailable, its rule names no client, or the file overrides it', async () => {
    const database = await sqliteFiles.create()
    const first = await startServer(database.url)
    const trust = async (issuer: string, more: object = {}) => {
      const trustedIssuer = { issuer, keys: { case: 'jwks' as const, value: good }, ...more }
      await first.call(TrustService.method.createTrustedIssuer, { trustedIssuer }, { bearer: first.admin.token })
    }
    await trust('https://hidden.example')
    await trust('https://silent.example', { keys: { case: 'jwksUri', value: 'https://127.0.0.1:1/jwks' } })
    await trust('https://rules.example', { rules: [{ claims: { sub: 'a' }, clientId: 'ghost', scopes: ['read'] }] })
    await first.stop()
    const file = join(folder, 'hiding.json')
    const hiding = { issuer: 'https://hidden.example', jwks_file: 'good.json', rules: [RULE] }
    writeFileSync(file, JSON.stringify({ issuers: [hiding] }))
    const { keyring, first: admin } = first
    const server = await startServer(database.url, keyring, admin, { QSCOPE_TRUSTED_ISSUERS_FILE: file })
    try {
      const { trustedIssuers, backend } = server.app
      const config = configOf({ jwks_file: 'good.json' })
      const found = await registeredIssuerFindings(trustedIssuers, backend, config, quiet)
      expect(found.map(({ state }) => state)).toEqual(['ok', 'warning', 'warning'])
      expect(found.map(({ finding }) => finding)).toEqual([
        'the keys of 1 issuer of the database can be used',
        expect.stringMatching(/^the jwks_url of https:\/\/silent.example cannot be used: /),
        'https://hidden.example of the database is ignored, because QSCOPE_TRUSTED_ISSUERS_FILE also has it',
      ])
      const [late] = await registeredIssuerFindings(trustedIssuers, backend, config, quiet, -1_000)
      expect(late).toMatchObject({
        state: 'warning',
        finding: 'the keys of 2 issuers of the database were not read within -1 s',
      })
      const [, rule] = await issuerRuleFindings(trustedIssuers, backend, quiet)
      expect(rule).toMatchObject({
        finding: 'rule 0 of https://rules.example names the client ghost, which does not exist',
        advice: 'correct the rule by UpdateTrustedIssuer, or the client',
      })
    } finally {
      await server.stop()
      await database.drop()
    }
  })
})

describe('a key set of a trusted issuer', () => {
  it('that is usable lets the server start', async () => {
    expect(await problemsOf('good.json')).toEqual([])
  })

  it.each(BAD)('in %s prevents the start with a line that names the place and the problem', async (file, reason) => {
    const [problem, ...others] = await problemsOf(file)
    expect(others).toEqual([])
    expect(problem).toMatch(/^QSCOPE_TRUSTED_ISSUERS_FILE: the jwks_file of https:\/\/i0\.example cannot be used: /)
    expect(problem).toMatch(reason)
    expect(problem).toContain(file)
  })

  it('is reported with all others', async () => {
    expect(await problemsOf('missing.json', 'good.json', 'large.json')).toHaveLength(2)
  })

  it('at a URL is not fetched at the start: a host that is down must not prevent it', async () => {
    await assertIssuerKeyFiles(configOf({ jwks_url: 'http://127.0.0.1:1/jwks' }))
  })

  it('is a finding of the doctor, at every location', async () => {
    const [up, down] = [await keyServer(good), await keyServer('')]
    down.answer = 503
    const config = configOf(
      { jwks_file: 'good.json' },
      { jwks_file: 'missing.json' },
      { jwks_url: up.url },
      { jwks_url: down.url },
    )
    const findings = await issuerKeyFindings(config)
    expect(findings.map(({ state }) => state)).toEqual(['ok', 'problem', 'ok', 'problem'])
    expect(findings[1]?.advice).toContain('the server does not start with it')
    expect(findings[3]?.finding).toContain('answers 503')
    expect(findings[3]?.advice).toContain('UNAVAILABLE')
  })
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { insistOnIssuerKeyFiles, issuerKeyFindings } from '../../src/app/examine-issuers.ts'
import { ConfigError, parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { suiteFolder } from '../setup/certificates.ts'
import { keyServer } from '../setup/trusted-issuers.ts'

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
    await insistOnIssuerKeyFiles(configOf(...files.map((file) => ({ jwks_file: file }))))
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
  ['no-keys.json', /has no key that can be used/],
  ['large.json', /is larger than 256 KiB/],
  ['folder.json', /is no file/],
  ['/dev/zero', /is no file/],
]

describe('a key set of a trusted issuer', () => {
  it('that can be used lets the server start', async () => {
    expect(await problemsOf('good.json')).toEqual([])
  })

  it.each(BAD)('in %s stops the start with a line that says where it is and what is wrong', async (file, reason) => {
    const [problem, ...others] = await problemsOf(file)
    expect(others).toEqual([])
    expect(problem).toMatch(/^QSCOPE_TRUSTED_ISSUERS_FILE: the jwks_file of https:\/\/i0\.example cannot be used: /)
    expect(problem).toMatch(reason)
    expect(problem).toContain(file)
  })

  it('is told together with every other', async () => {
    expect(await problemsOf('missing.json', 'good.json', 'large.json')).toHaveLength(2)
  })

  it('at a URL is left for later: a host that is down must not stop the server', async () => {
    await insistOnIssuerKeyFiles(configOf({ jwks_url: 'http://127.0.0.1:1/jwks' }))
  })

  it('is a finding of the doctor, wherever it is', async () => {
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
    expect(findings[1]?.advice).toContain('the server would not start')
    expect(findings[3]?.finding).toContain('answers 503')
    expect(findings[3]?.advice).toContain('refused')
  })
})

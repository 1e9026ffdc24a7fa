import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { readEnvironment } from '../../src/config/environment.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { readTrustedIssuers } from '../../src/config/trusted-issuers.ts'

const folder = mkdtempSync(join(tmpdir(), 'qscope-issuers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'issuers.json')
const read = (content: unknown) => {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return readTrustedIssuers(file, 'https://q.example')
}
const RULE = { claims: { sub: 'a' }, client_id: 'orders', scopes: ['read'] }
const ISSUER = { issuer: 'https://i.example', jwks_file: 'keys.json', rules: [RULE] }

describe('the file of trusted issuers', () => {
  it('lists trusted issuers, with paths relative to itself', () => {
    const rules = [{ ...RULE, claims: { sub: 'system:*', '/kubernetes.io/name~1space': 'shop' } }]
    const { issuers, problems } = read({ issuers: [{ ...ISSUER, rules }] })
    expect(problems).toEqual([])
    expect(issuers).toEqual([
      {
        issuer: 'https://i.example',
        displayName: 'https://i.example',
        kind: 'jwt',
        trustDomain: null,
        origin: 'file',
        keys: { kind: 'file', path: join(folder, 'keys.json') },
        audience: 'https://q.example',
        singleUse: false,
        maxLifetime: 86_400_000,
        rules: [
          {
            claims: [
              { name: 'sub', path: ['sub'], value: 'system:', prefix: true },
              {
                name: '/kubernetes.io/name~1space',
                path: ['kubernetes.io', 'name/space'],
                value: 'shop',
                prefix: false,
              },
            ],
            condition: null,
            clientId: 'orders',
            scopes: ['read'],
            scopesExpression: null,
            tokenClaims: {},
          },
        ],
      },
    ])
  })

  it('is rejected with all problems at once, each with its path', () => {
    const { jwks_file: _none, ...bare } = ISSUER
    const { issuers, problems } = read({
      issuers: [
        { ...bare, jwks_url: 'http://i.example/jwks', max_lifetime: 'long', surprise: 1 },
        { ...ISSUER, rules: [{ claims: { sub: '*' }, client_id: 'x', scopes: ['qscope:clients.read'] }] },
        { ...bare, rules: [{ ...RULE, claims: {} }] },
      ],
    })
    expect(issuers).toEqual([])
    const told = [
      /issuers\[0\]\.jwks_url: should be an https URL/,
      /issuers\[0\]\.max_lifetime: should be a duration/,
      /issuers\[0\]: .*surprise/,
      /issuers\[1\]\.rules\[0\]\.claims\.sub: should be a string/,
      /issuers\[1\]\.rules\[0\]\.client_id: should be a client id/,
      /issuers\[1\]\.rules\[0\]\.scopes\[0\]: should be a scope that does not begin with qscope:/,
      /issuers\[2\]\.rules\[0\]: should have claims, a condition or both/,
      /issuers\[2\]: should have either jwks_file or jwks_url, not both/,
    ]
    for (const pattern of told) expect(problems).toContainEqual(expect.stringMatching(pattern))
  })

  it.each<[string, unknown, RegExp]>([
    ['no JSON', 'nonsense', /JSON/],
    ['an empty list', { issuers: [] }, /issuers/],
    ['one issuer twice', { issuers: [ISSUER, ISSUER] }, /is listed twice/],
    ['two places of keys', { issuers: [{ ...ISSUER, jwks_url: 'https://i.example/jwks' }] }, /either/],
    ['a CA for a file', { issuers: [{ ...ISSUER, jwks_ca_file: 'ca.pem' }] }, /jwks_ca_file requires jwks_url/],
    ['a password in the URL', { issuers: [{ ...ISSUER, jwks_url: 'https://a:b@i.example/' }] }, /https URL/],
    ['a * inside', { issuers: [{ ...ISSUER, rules: [{ ...RULE, claims: { sub: 'a*b' } }] }] }, /prefix followed by \*/],
  ])('is rejected with %s', (_what, content, problem) => {
    expect(read(content).problems.join('\n')).toMatch(problem)
  })

  it('is rejected with the problems of its expressions, each with its path', () => {
    const rule = {
      client_id: 'orders',
      scopes: ['read'],
      condition: 'claims.sub ==',
      scopes_expression: '"read"',
      token_claims: { sub: '1', team: 'claims.team' },
    }
    expect(read({ issuers: [{ ...ISSUER, rules: [rule] }] }).problems).toEqual([
      expect.stringMatching(/^issuers\[0\]\.rules\[0\]\.condition: at line 1, column \d+: is not valid CEL/),
      'issuers[0].rules[0].scopes_expression: must return list(string), but returns string',
      'issuers[0].rules[0].token_claims["sub"]: is reserved',
    ])
    const good = {
      ...rule,
      condition: 'claims.sub == "a"',
      scopes_expression: '[]',
      token_claims: { team: 'claims.team' },
    }
    expect(read({ issuers: [{ ...ISSUER, rules: [good] }] }).issuers[0]?.rules).toEqual([
      {
        claims: [],
        condition: good.condition,
        clientId: 'orders',
        scopes: ['read'],
        scopesExpression: '[]',
        tokenClaims: { team: 'claims.team' },
      },
    ])
  })

  it('prevents the start if it is invalid or missing', () => {
    const parse = () => parseConfig(readEnvironment({ QSCOPE_TRUSTED_ISSUERS_FILE: join(folder, 'missing.json') }))
    expect(parse).toThrow(ConfigError)
  })
})

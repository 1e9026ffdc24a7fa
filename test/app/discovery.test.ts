import { describe, expect, it } from 'vitest'
import { DocumentFetcher } from '../../src/app/trust/document-fetcher.ts'
import { KeyReader } from '../../src/app/trust/key-reader.ts'
import { jwksOf, signingPair } from '../setup/assertions.ts'
import { certificateAuthority, suiteFolder } from '../setup/certificates.ts'
import { httpsHost } from '../setup/https-host.ts'

const folder = suiteFolder()
const authority = certificateAuthority(folder, 'ca')
const ca = authority.cert.toString()
const identity = authority.issue('issuer', ['DNS:issuer.test', 'IP:127.0.0.1'])
const pair = signingPair('ES256')

const OPENID = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'

/** A host with these documents, and how the keys of an issuer there are read. */
async function issuerAt(path: string, documents: (issuer: string, origin: string) => Readonly<Record<string, object>>) {
  const host = await httpsHost(identity)
  const origin = `https://issuer.test:${host.port}`
  const issuer = `${origin}${path}`
  for (const [at, document] of Object.entries(documents(issuer, origin))) {
    host.answers.set(at, typeof document === 'number' ? document : JSON.stringify(document))
  }
  host.answers.set('/jwks', jwksOf(pair))
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  const reader = new KeyReader(new DocumentFetcher({ privateHosts: { names: ['issuer.test'], networks: [] }, resolve }))
  const read = () => reader.read({ issuer, kind: 'jwt', origin: 'api', keys: { kind: 'discovery', ca } })
  return { host, issuer, origin, read }
}

describe('the keys of an issuer that is discovered', () => {
  it.each([
    ['of an issuer without a path', '', OPENID],
    ['of one with a slash at its end', '/', OPENID],
    ['of one with a path', '/tenants/a', `/tenants/a${OPENID}`],
  ])('are found by OpenID Connect Discovery 1.0 §4, %s', async (_which, path, at) => {
    const { host, read } = await issuerAt(path, (issuer, origin) => ({ [at]: { issuer, jwks_uri: `${origin}/jwks` } }))
    expect(await read()).toMatchObject({ ok: true, keys: [{ kid: pair.kid }] })
    expect(host.asked).toEqual([at, '/jwks'])
  })

  it('are found by RFC 8414 §3 if there is no other document', async () => {
    const { host, read } = await issuerAt('/tenants/a', (issuer, origin) => ({
      [`${OAUTH}/tenants/a`]: { issuer, jwks_uri: `${origin}/jwks` },
    }))
    expect(await read()).toMatchObject({ ok: true, keys: [{ kid: pair.kid }] })
    expect(host.asked).toEqual([`/tenants/a${OPENID}`, `${OAUTH}/tenants/a`, '/jwks'])
  })

  it.each<[string, string, (issuer: string, origin: string) => object, RegExp, boolean]>([
    [
      'names another issuer',
      '',
      (_i, o) => ({ issuer: 'https://other.example', jwks_uri: `${o}/jwks` }),
      /another issuer/,
      false,
    ],
    [
      'names the issuer with a slash',
      '',
      (i, o) => ({ issuer: `${i}/`, jwks_uri: `${o}/jwks` }),
      /another issuer/,
      false,
    ],
    [
      'names the issuer without its slash',
      '/',
      (i, o) => ({ issuer: i.slice(0, -1), jwks_uri: `${o}/jwks` }),
      /another issuer/,
      false,
    ],
    [
      'names the issuer in capitals',
      '',
      (i, o) => ({ issuer: i.toUpperCase(), jwks_uri: `${o}/jwks` }),
      /another issuer/,
      false,
    ],
    ['names no issuer', '', (_i, o) => ({ jwks_uri: `${o}/jwks` }), /another issuer/, false],
    ['names no keys', '', (i) => ({ issuer: i }), /has no jwks_uri/, false],
    [
      'names keys on this machine',
      '',
      (i, o) => ({ issuer: i, jwks_uri: `${o.replace('issuer.test', '127.0.0.1')}/jwks` }),
      /has no address/,
      true,
    ],
    [
      'names keys in plaintext',
      '',
      (i, o) => ({ issuer: i, jwks_uri: `${o.replace('https', 'http')}/jwks` }),
      /does not begin with https/,
      true,
    ],
    ['names keys that are no URL', '', (i) => ({ issuer: i, jwks_uri: 'jwks' }), /does not begin with https/, true],
  ])('are rejected when the metadata %s', async (_what, path, metadata, why, unavailable) => {
    const { host, read } = await issuerAt(path, (issuer, origin) => ({ [OPENID]: metadata(issuer, origin) }))
    expect(await read()).toEqual({ ok: false, problem: expect.stringMatching(why), unavailable })
    expect(host.asked).toEqual([OPENID])
  })

  it('are rejected when the metadata has a duplicate name', async () => {
    const { host, issuer, origin, read } = await issuerAt('', () => ({}))
    host.answers.set(OPENID, `{"issuer":"${issuer}","jwks_uri":"${origin}/jwks","jwks_uri":"${origin}/other"}`)
    expect(await read()).toMatchObject({ ok: false, problem: expect.stringContaining('each name occurs once') })
  })

  it('are unavailable while the metadata is, and both URLs are reported', async () => {
    const { host, read } = await issuerAt('', () => ({}))
    expect(await read()).toMatchObject({
      ok: false,
      unavailable: true,
      problem: expect.stringMatching(/openid-configuration answers 404, and .*oauth-authorization-server answers 404/),
    })
    host.asked.length = 0
    host.answers.set(OPENID, 503)
    expect(await read()).toMatchObject({
      ok: false,
      unavailable: true,
      problem: expect.stringContaining('answers 503'),
    })
    expect(host.asked).toEqual([OPENID])
  })

  it('are not requested for an issuer that is not a URL without a query', async () => {
    const reader = new KeyReader(new DocumentFetcher({ privateHosts: { names: [], networks: [] } }))
    for (const issuer of ['ci', 'http://issuer.test', 'https://issuer.test/?a=b', 'https://u:p@issuer.test']) {
      const read = await reader.read({ issuer, kind: 'jwt', origin: 'api', keys: { kind: 'discovery', ca: null } })
      expect(read).toMatchObject({ ok: false })
    }
  })
})

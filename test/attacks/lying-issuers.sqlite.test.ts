import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { SignJWT } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { refusalOf } from '../setup/client.ts'
import {
  discoverableIssuer,
  LOCAL_HOSTS,
  localHosts,
  OPENID_METADATA,
  trustOn,
  urlOf,
} from '../setup/foreign-issuer.ts'
import { sqliteFiles } from '../setup/fresh-database.ts'
import { startServer } from '../setup/server.ts'

const hosts = localHosts()
const { caCertificates } = hosts
const database = await sqliteFiles.create()
const server = await startServer(database.url, undefined, undefined, LOCAL_HOSTS)
afterAll(async () => {
  await server.stop()
  await database.drop()
})
const { trust, move, workload, exchange, federated } = trustOn(server)
const discovered = { case: 'discovery', value: true } as const
const UNAVAILABLE = 'OAUTH_TEMPORARILY_UNAVAILABLE'
const INVALID = 'OAUTH_INVALID_GRANT'

const claimsOf = (issuer: string) => {
  const now = Math.floor(server.clock.now() / 1_000)
  return { iss: issuer, sub: 'job', aud: server.issuer, iat: now, exp: now + 300 }
}

/** An issuer that is trusted by discovery, an assertion of it, and a mint of a client that the assertion authenticates. */
async function trusted(pair: SigningPair = signingPair('ES256')) {
  const at = await discoverableIssuer(hosts, pair)
  const rules = [{ claims: { sub: 'job' }, clientId: await workload(), scopes: ['stock.read'] }]
  await trust({ issuer: at.issuer, keys: discovered, caCertificates, rules })
  const mint = await federated(at.issuer, 'job')
  return { ...at, pair, mint, assertion: () => signed(pair, claimsOf(at.issuer)) }
}

const honest = await trusted()
/** Another issuer, whose keys have not been fetched yet, is served. */
async function isServed() {
  const { assertion, mint } = await trusted()
  for (const present of [exchange, mint]) {
    expect(await present(await assertion())).toMatchObject({ scopes: ['stock.read'] })
  }
}
const problems = () => server.lines.map(({ problem }) => String(problem))

type Issuer = Awaited<ReturnType<typeof trusted>>
const rsa = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits })
const jwksWith = (...keys: readonly object[]) => JSON.stringify({ keys })

const FAULTS: readonly (readonly [string, (issuer: Issuer) => void, RegExp])[] = [
  ['is down', ({ host }) => void host.server.close(), /cannot be fetched: connect ECONNREFUSED/],
  ['answers with errors', ({ host }) => void host.answers.set('/jwks', 500), /answers 500/],
  ['breaks off', ({ host }) => void host.answers.set('/jwks', (r) => void r.socket?.destroy()), /cannot be fetched/],
  ['answers with a redirect', ({ host }) => void host.answers.set('/jwks', moved), /answers 302/],
  ['answers with very much', ({ host }) => void host.answers.set('/jwks', endless), /more than 256 KiB/],
  [
    'has metadata of another issuer',
    ({ host, issuer }) =>
      void host.answers.set(OPENID_METADATA, JSON.stringify({ issuer: honest.issuer, jwks_uri: `${issuer}/jwks` })),
    /is the metadata of another issuer/,
  ],
  [
    'names keys on an address of this machine',
    ({ host, issuer }) =>
      void host.answers.set(
        OPENID_METADATA,
        JSON.stringify({ issuer, jwks_uri: `https://127.0.0.1:${host.port}/jwks` }),
      ),
    /has no address that may be connected to/,
  ],
  [
    'publishes a symmetric key beside its own',
    ({ host, pair }) =>
      void host.answers.set('/jwks', jwksWith(pair.publicJwk, { kty: 'oct', k: 'c2VjcmV0', kid: 's' })),
    /keys\[1\] is a secret or private key/,
  ],
  [
    'publishes its private key',
    ({ host, pair }) => void host.answers.set('/jwks', jwksWith(pair.privateKey.export({ format: 'jwk' }))),
    /keys\[0\] is a secret or private key/,
  ],
  [
    'gives one name to two keys',
    ({ host, pair }) => void host.answers.set('/jwks', jwksOf(pair, signingPair('ES256', pair.kid))),
    /has two keys with the same kid/,
  ],
  [
    'publishes its key for encryption',
    ({ host, pair }) => void host.answers.set('/jwks', jwksWith({ ...pair.publicJwk, use: 'enc' })),
    /has no usable key; keys\[0\] is not a signature key/,
  ],
  [
    'publishes RSA of 1024 bits',
    ({ host }) => void host.answers.set('/jwks', jwksWith(rsa(1_024).publicKey.export({ format: 'jwk' }))),
    /is RSA of 1024 bits/,
  ],
]

function moved(response: ServerResponse): void {
  response.writeHead(302, { location: `${urlOf(honest.host)}/jwks` }).end()
}

function endless(response: ServerResponse): void {
  const more = () => {
    while (response.write('x'.repeat(65_536)));
  }
  response.on('drain', more).on('error', () => undefined)
  more()
}

describe('an issuer', () => {
  it.each(FAULTS)(
    'that %s is unavailable, the log states the reason, and others are served',
    async (_what, spoil, why) => {
      const issuer = await trusted()
      spoil(issuer)
      for (const present of [exchange, issuer.mint]) {
        const refusal = await refusalOf(present(await issuer.assertion()))
        expect(refusal.reason).toBe(UNAVAILABLE)
        // The caller learns neither the address of the keys nor the problem there.
        expect(inspect(refusal, { depth: null })).not.toContain(urlOf(issuer.host))
      }
      expect(problems()).toEqual(expect.arrayContaining([expect.stringMatching(why)]))
      await isServed()
    },
  )

  it('that never answers delays only its own callers', async () => {
    const issuer = await trusted()
    issuer.host.answers.set('/jwks', () => undefined)
    let settled = false
    const slow = refusalOf(exchange(await issuer.assertion())).finally(() => {
      settled = true
    })
    await isServed()
    expect(settled).toBe(false)
    expect((await slow).reason).toBe(UNAVAILABLE)
    expect(problems()).toContain(`${issuer.issuer}/jwks does not answer in time`)
  })

  it('is not queried more than once a minute by assertions with unknown keys', async () => {
    const issuer = await trusted()
    await exchange(await issuer.assertion())
    const before = issuer.host.asked.length
    const forged = async () => await signed(signingPair('ES256'), claimsOf(issuer.issuer))
    for (let n = 0; n < 20; n += 1) expect((await refusalOf(exchange(await forged()))).reason).toBe(INVALID)
    // One request for the metadata, and one for the keys.
    expect(issuer.host.asked.length - before).toBe(2)
    expect(await exchange(await issuer.assertion())).toMatchObject({ scopes: ['stock.read'] })
  })

  it('is not impersonated with its public key as a secret, nor by another issuer with a key of the same name', async () => {
    const issuer = await trusted()
    const pem = issuer.pair.publicJwk
    const secret = createSecretKey(Buffer.from(JSON.stringify(pem)))
    const symmetric = await new SignJWT(claimsOf(issuer.issuer))
      .setProtectedHeader({ alg: 'HS256', kid: issuer.pair.kid })
      .sign(secret)
    const namesake = await trusted(signingPair('ES256', issuer.pair.kid))
    const foreign = await signed(namesake.pair, claimsOf(issuer.issuer))
    for (const assertion of [symmetric, foreign]) {
      expect((await refusalOf(exchange(assertion))).reason).toBe(INVALID)
    }
    expect(await exchange(await issuer.assertion())).toMatchObject({ scopes: ['stock.read'] })
  })

  it('that moves its keys with UpdateTrustedIssuer is read at the new place from the next call on', async () => {
    const issuer = await trusted()
    await exchange(await issuer.assertion())
    issuer.host.answers.set('/other', jwksOf(signingPair('ES256')))
    await move(issuer.issuer, `${issuer.issuer}/other`)
    expect((await refusalOf(exchange(await issuer.assertion()))).reason).toBe(INVALID)
  })
})

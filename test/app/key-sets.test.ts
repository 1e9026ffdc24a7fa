import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { DocumentFetcher } from '../../src/app/trust/document-fetcher.ts'
import { KeyReader } from '../../src/app/trust/key-reader.ts'
import { KeySets } from '../../src/app/trust/key-sets.ts'
import { readAssertion, type UnverifiedAssertion } from '../../src/crypto/assertion.ts'
import { type EpochMs, epochMs } from '../../src/domain/ids.ts'
import type { IssuerKind, KeyLocation } from '../../src/domain/trusted-issuer.ts'
import { KeyMetrics } from '../../src/telemetry/key-metrics.ts'
import { jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { keyServer } from '../setup/trusted-issuers.ts'

const folder = mkdtempSync(join(tmpdir(), 'qscope-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const [old, next, stranger] = [signingPair('ES256'), signingPair('ES256'), signingPair('ES256')]

async function assertionOf(pair: SigningPair) {
  const claims = { iss: 'https://i.example', sub: 'job', aud: 'q', exp: 1 }
  const assertion = readAssertion(await signed(pair, claims))
  if (assertion === null) throw new Error('an assertion that cannot be read')
  return assertion
}

function open(keys: KeyLocation, kind: IssuerKind = 'jwt') {
  let now = epochMs(1_800_000_000_000)
  const [warnings, infos]: [string[], string[]] = [[], []]
  const nothing = () => undefined
  const log = {
    debug: nothing,
    info: (_fields: object, text: string) => infos.push(text),
    warn: (fields: object, text: string) => warnings.push(`${text}: ${'problem' in fields ? fields.problem : ''}`),
    error: nothing,
  }
  const fetcher = new DocumentFetcher({ privateHosts: { names: [], networks: [] } })
  const observer = new KeyMetrics()
  const source = new KeySets({ now: (): EpochMs => now, log, reader: new KeyReader(fetcher), observer })
  const holder = { issuer: 'https://i.example', kind, origin: 'file', keys } as const
  const keysFor = (assertion: UnverifiedAssertion) => source.keysFor(holder, assertion)
  const find = async (pair: SigningPair) => await keysFor(await assertionOf(pair))
  return {
    warnings,
    infos,
    keysFor,
    find,
    source,
    /** How many attempts ended how, such as `url ok`. */
    reads: async () => {
      const [counted] = await Promise.all(observer.metrics.map((metric) => metric.samples()))
      return Object.fromEntries(
        (counted ?? [])
          .filter(({ value }) => value > 0)
          .map(({ labels: { source: from, outcome }, value }) => [`${from} ${outcome}`, value]),
      )
    },
    later: (seconds: number) => {
      now = epochMs(now + seconds * 1_000)
    },
    /** The names of the keys; `null`: they cannot be read. */
    kids: async (pair: SigningPair) => {
      const found = await find(pair)
      return found.ok ? found.keys.map(({ kid }) => kid) : null
    },
  }
}

const atUrl = (url: string) => open({ kind: 'url', url, ca: null })

describe('the keys of a trusted issuer', () => {
  it('are fetched once for many calls, and renewed after a minute in the background', async () => {
    const server = await keyServer(jwksOf(old, next))
    const keys = atUrl(server.url)
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.kids(old)))
    expect(found.every((kids) => kids?.includes(old.kid))).toBe(true)
    keys.later(59)
    await keys.kids(old)
    expect(server.asked).toBe(1)
    server.answer = jwksOf(next)
    keys.later(1)
    expect(await keys.kids(old)).toContain(old.kid)
    await vi.waitFor(async () => expect(await keys.kids(next)).toEqual([next.kid]))
    expect(server.asked).toBe(2)
    // One that was withdrawn is unknown now, and is looked for once more.
    expect(await keys.kids(old)).toEqual([next.kid])
    expect(server.asked).toBe(3)
  })

  it('are not used after five minutes without renewal, so that a withdrawn key is rejected', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = jwksOf(next)
    keys.later(300)
    expect(await keys.kids(old)).toEqual([next.kid])
  })

  it('are fetched at once for an unknown key id, and then at most once a minute', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = jwksOf(old, next)
    expect(await keys.kids(next)).toEqual([old.kid, next.kid])
    for (let n = 0; n < 50; n += 1) expect(await keys.kids(stranger)).toEqual([old.kid, next.kid])
    expect(server.asked).toBe(2)
    keys.later(59)
    for (let n = 0; n < 50; n += 1) await keys.kids(stranger)
    expect(server.asked).toBe(2)
    keys.later(1)
    await Promise.all(Array.from({ length: 50 }, () => keys.kids(stranger)))
    // One of them renews what is a minute old, and one looks for the name.
    expect(server.asked).toBeLessThanOrEqual(4)
  })

  it('are searched for all callers whose key was published during an earlier request', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    const { promise, resolve } = Promise.withResolvers<void>()
    server.held = promise
    keys.later(60)
    await keys.kids(old)
    await vi.waitFor(() => expect(server.asked).toBe(2))
    server.answer = jwksOf(old, next)
    const waiting = [keys.kids(next), keys.kids(next), keys.kids(next)]
    // They wait for the answer to the earlier request.
    await keys.kids(old)
    resolve()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => [old.kid, next.kid]))
    expect(server.asked).toBe(3)
  })

  it('are unavailable at once for calls beyond 1,000 that wait for a slow issuer', async () => {
    const server = await keyServer(jwksOf(old))
    const { promise, resolve } = Promise.withResolvers<void>()
    server.held = promise
    const keys = atUrl(server.url)
    const assertion = await assertionOf(old)
    const waiting = Array.from({ length: 1_000 }, () => keys.keysFor(assertion))
    const problem = '1000 calls wait for these keys already'
    for (let n = 0; n < 5; n += 1) expect(await keys.keysFor(assertion)).toEqual({ ok: false, problem })
    expect(keys.warnings).toEqual([`the keys of a trusted issuer cannot be read: ${problem}`])
    resolve()
    for (const found of await Promise.all(waiting)) expect(found).toMatchObject({ ok: true, keys: [{ kid: old.kid }] })
    expect(keys.infos).toEqual(['the keys of a trusted issuer can be read again'])
    expect(await keys.kids(old)).toEqual([old.kid])
    expect(server.asked).toBe(1)

    // Those who look for another key wait, too. Those whose key is known do not.
    const search = Promise.withResolvers<void>()
    server.held = search.promise
    const unknown = await assertionOf(next)
    const searching = Array.from({ length: 1_000 }, () => keys.keysFor(unknown))
    expect(await keys.keysFor(unknown)).toEqual({ ok: false, problem })
    expect(await keys.kids(old)).toEqual([old.kid])
    search.resolve()
    await Promise.all(searching)
  })

  it('are used while the issuer is down, for at most five minutes', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = 503
    for (let minute = 1; minute < 5; minute += 1) {
      keys.later(60)
      expect(await keys.kids(old)).toEqual([old.kid])
    }
    await vi.waitFor(() => expect(keys.warnings).toHaveLength(1))
    expect(keys.warnings[0]).toContain('answers 503')
    keys.later(60)
    expect(await keys.find(old)).toEqual({ ok: false, problem: `${server.url} answers 503` })
    server.answer = jwksOf(old)
    keys.later(5)
    expect(await keys.kids(old)).toEqual([old.kid])
    expect(keys.infos).toEqual(['the keys of a trusted issuer can be read again'])
  })

  it('are unavailable for an unknown key id while the issuer is down, and searched again after the pause', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = 503
    for (let n = 0; n < 5; n += 1) {
      expect(await keys.find(next)).toEqual({ ok: false, problem: `${server.url} answers 503` })
      expect(await keys.kids(old)).toEqual([old.kid])
    }
    expect(server.asked).toBe(2)
    server.answer = jwksOf(old, next)
    keys.later(5)
    expect(await keys.kids(next)).toEqual([old.kid, next.kid])
    // The search was successful, so the next one is a minute later.
    expect(await keys.kids(stranger)).toEqual([old.kid, next.kid])
    expect(server.asked).toBe(3)
  })

  it('are dropped at once when the issuer publishes a private key', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = JSON.stringify({ keys: [old.privateKey.export({ format: 'jwk' })] })
    keys.later(60)
    await keys.kids(old)
    await vi.waitFor(async () => expect(await keys.kids(old)).toBeNull())
    expect(keys.warnings[0]).toContain('keys[0] is a secret or private key')
  })

  it.each<[string, Readonly<Record<string, unknown>>, RegExp]>([
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', kid: 'a' }, /keys\[1\] is a secret or private key/],
    ['two keys of one name', { ...next.publicJwk, kid: old.kid }, /has two keys with the same kid/],
  ])('are unavailable when the issuer publishes %s', async (_what, jwk, why) => {
    const server = await keyServer(JSON.stringify({ keys: [old.publicJwk, jwk] }))
    const found = await atUrl(server.url).find(old)
    expect(found).toMatchObject({ ok: false, problem: expect.stringMatching(why) })
  })

  it('skip encryption keys and short keys, and report why', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' })
    const set = { keys: [{ ...next.publicJwk, use: 'enc' }, { ...short, kid: 'short' }, old.publicJwk] }
    const found = await atUrl((await keyServer(JSON.stringify(set))).url).find(old)
    expect(found).toMatchObject({
      ok: true,
      keys: [{ kid: old.kid }],
      leftOut: [
        `keys[0] is not a signature key (use): kid "${next.kid}"`,
        'keys[1] is RSA of 1024 bits, not of 2048 to 8192: kid "short"',
      ],
    })
  })

  it('of a SPIFFE trust domain are those for JWT-SVIDs, selected by the token', async () => {
    const other = signingPair('ES256')
    const bundle = {
      spiffe_sequence: 3,
      spiffe_refresh_hint: 120,
      keys: [
        { ...old.publicJwk, use: 'jwt-svid' },
        { ...next.publicJwk, use: 'jwt-svid' },
        { ...other.publicJwk, use: 'x509-svid' },
        stranger.publicJwk,
      ],
    }
    const server = await keyServer(JSON.stringify(bundle))
    const keys = open({ kind: 'url', url: server.url, ca: null }, 'spiffe')
    expect(await keys.kids(old)).toEqual([old.kid])
    expect(await keys.kids(other)).toEqual([])
    expect(server.asked).toBe(2)
    // It is renewed when the bundle says, not after a minute.
    keys.later(119)
    await keys.kids(old)
    expect(server.asked).toBe(2)
    keys.later(1)
    await keys.kids(old)
    await vi.waitFor(() => expect(server.asked).toBe(3))
  })

  it.each<[string, string | number, Record<string, string>]>([
    ['an error', 500, {}],
    ['a redirect, even to good keys', 302, { location: '/elsewhere' }],
    ['nonsense', '<html>', {}],
    ['nothing of use', '{"keys":[]}', {}],
    ['private keys', JSON.stringify({ keys: [{ ...old.privateKey.export({ format: 'jwk' }) }] }), {}],
    ['too much', `{"keys":[],"x":"${'x'.repeat(300_000)}"}`, {}],
  ])('cannot be fetched from %s, which is not retried at once', async (_what, answer, headers) => {
    const server = await keyServer('')
    Object.assign(server, { answer, headers })
    const keys = atUrl(server.url)
    for (let n = 0; n < 5; n += 1) expect(await keys.kids(old)).toBeNull()
    expect(server.asked).toBe(1)
    expect(keys.warnings).toHaveLength(1)
    server.answer = jwksOf(old)
    server.headers = {}
    keys.later(5)
    expect(await keys.kids(old)).toEqual([old.kid])
  })

  it.each([
    ['hangs up before it answers', ''],
    ['hangs up in the middle', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"keys":'],
    ['breaks off its chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"key'],
    ['sends nonsense after its headers', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n'],
    ['sends endless headers', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`],
    ['refuses and hangs up', 'HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\nno'],
  ])('cannot be fetched from a host that %s, without harm', async (_what, said) => {
    const host = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.write(said, () => socket.destroy()))
    })
    await once(host.listen(0, '127.0.0.1'), 'listening')
    const keys = atUrl(`http://127.0.0.1:${(host.address() as AddressInfo).port}/jwks`)
    expect(await keys.kids(old)).toBeNull()
    expect(keys.warnings).toHaveLength(1)
    host.close()
  })

  it('are counted by source and outcome of each attempt', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    await keys.kids(old)
    server.answer = 503
    keys.later(300)
    await keys.kids(old)
    server.answer = '{}'
    keys.later(5)
    await keys.kids(old)
    expect(await keys.reads()).toEqual({ 'jwks_uri ok': 1, 'jwks_uri unavailable': 1, 'jwks_uri unusable': 1 })

    const bundle = open({ kind: 'url', url: server.url, ca: null }, 'spiffe')
    await bundle.kids(old)
    expect(await bundle.reads()).toEqual({ 'bundle unusable': 1 })
    const file = open({ kind: 'file', path: join(folder, 'missing.json') })
    await file.kids(old)
    expect(await file.reads()).toEqual({ 'file unavailable': 1 })
    const discovered = open({ kind: 'discovery', ca: null })
    await discovered.kids(old)
    expect(await discovered.reads()).toEqual({ 'discovery unavailable': 1 })
    const given = open({ kind: 'inline', jwks: jwksOf(old) })
    expect(await given.kids(old)).toEqual([old.kid])
    expect(await given.reads()).toEqual({})
    // Of a client: it may not lead to this machine.
    await given.source.keysAt(server.url, await assertionOf(old))
    expect(await given.reads()).toEqual({ 'client_jwks_uri unavailable': 1 })
  })

  it('are not dropped from memory by clients that publish their keys, however many there are', async () => {
    const server = await keyServer(jwksOf(old))
    const { source, kids } = atUrl(server.url)
    await kids(old)
    const assertion = await assertionOf(old)
    // No connection is made to these addresses.
    for (let n = 0; n < 1_001; n += 1) await source.keysAt(`https://127.0.0.1/${n}`, assertion)
    expect(await kids(old)).toEqual([old.kid])
    expect(server.asked).toBe(1)
  })

  it('have an age while they are needed, from the last successful or the first read', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    const age = () => keys.source.ages().get('jwks_uri')
    expect(age()).toBeUndefined()
    await keys.kids(old)
    keys.later(59)
    expect(age()).toBe(59_000)
    keys.later(1)
    expect(age()).toBeUndefined()
    server.answer = 503
    for (let times = 0; times < 5; times += 1) {
      keys.later(60)
      await keys.kids(old)
    }
    expect(age()).toBe(360_000)
    server.answer = jwksOf(old)
    keys.later(5)
    await keys.kids(old)
    expect(age()).toBe(0)

    const never = atUrl(server.url)
    server.answer = 503
    await never.kids(old)
    keys.later(30)
    never.later(30)
    await never.kids(old)
    expect(never.source.ages().get('jwks_uri')).toBe(30_000)
    expect(age()).toBe(30_000)
  })

  it('skip keys that are not usable', async () => {
    const set = JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-384', x: 'a', y: 'b' }, old.publicJwk, { kty: 'new' }] })
    expect(await atUrl((await keyServer(set)).url).kids(old)).toEqual([old.kid])
  })

  it('are read from a file, and again after it changed', async () => {
    const path = join(folder, 'keys.json')
    writeFileSync(path, jwksOf(old))
    const keys = open({ kind: 'file', path })
    expect(await keys.kids(old)).toEqual([old.kid])
    writeFileSync(path, jwksOf(next))
    keys.later(1)
    expect(await keys.kids(next)).toEqual([next.kid])
    expect(await open({ kind: 'file', path: join(folder, 'missing.json') }).kids(old)).toBeNull()
  })
})

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { IssuerKeys } from '../../src/app/trust/issuer-keys.ts'
import { readAssertion } from '../../src/crypto/assertion.ts'
import { type EpochMs, epochMs, milliseconds } from '../../src/domain/ids.ts'
import type { KeyLocation, TrustedIssuer } from '../../src/domain/trusted-issuer.ts'
import { jwksOf, type SigningPair, signed, signingPair } from '../setup/assertions.ts'
import { keyServer } from '../setup/trusted-issuers.ts'

const folder = mkdtempSync(join(tmpdir(), 'qscope-keys-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const [old, next, stranger] = [signingPair('ES256'), signingPair('ES256'), signingPair('ES256')]

async function assertionOf(pair: SigningPair) {
  const claims = { iss: 'https://i.example', sub: 'job', aud: 'q', exp: 1 }
  const assertion = readAssertion(await signed(pair, claims), 'authorization-grant+jwt')
  if (assertion === null) throw new Error('an assertion that cannot be read')
  return assertion
}

function open(keys: KeyLocation) {
  let now = epochMs(1_800_000_000_000)
  const warnings: string[] = []
  const nothing = () => undefined
  const log = {
    debug: nothing,
    info: nothing,
    warn: (_fields: object, text: string) => warnings.push(text),
    error: nothing,
  }
  const terms: TrustedIssuer = {
    issuer: 'https://i.example',
    keys,
    origin: 'file',
    displayName: 'an issuer',
    kind: 'jwt',
    trustDomain: null,
    audience: 'q',
    singleUse: false,
    maxLifetime: milliseconds(60_000),
    rules: [],
  }
  const source = new IssuerKeys(terms, { now: (): EpochMs => now, log })
  return {
    warnings,
    later: (seconds: number) => {
      now = epochMs(now + seconds * 1_000)
    },
    kids: async (pair: SigningPair) => (await source.keysFor(await assertionOf(pair)))?.map(({ kid }) => kid) ?? null,
  }
}

const atUrl = (url: string) => open({ kind: 'url', url, ca: null })

describe('the keys of a trusted issuer', () => {
  it('are fetched once for many calls, and again after five minutes, so that a withdrawn key is refused', async () => {
    const server = await keyServer(jwksOf(old, next))
    const keys = atUrl(server.url)
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.kids(old)))
    expect(found.every((kids) => kids?.includes(old.kid))).toBe(true)
    expect(server.asked).toBe(1)
    server.answer = jwksOf(next)
    keys.later(299)
    expect(await keys.kids(old)).toContain(old.kid)
    keys.later(1)
    expect(await keys.kids(old)).toEqual([next.kid])
    expect(server.asked).toBe(2)
  })

  it('are fetched anew for a name nobody knows, twice a minute at the most', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = jwksOf(old, next)
    for (let n = 0; n < 50; n += 1) expect(await keys.kids(stranger)).toEqual([old.kid])
    expect(server.asked).toBe(1)
    keys.later(30)
    expect(await keys.kids(next)).toEqual([old.kid, next.kid])
    for (let n = 0; n < 50; n += 1) await keys.kids(stranger)
    expect(server.asked).toBe(2)
  })

  it.each<[string, string | number, Record<string, string>]>([
    ['an error', 500, {}],
    ['a redirect, even to good keys', 302, { location: '/elsewhere' }],
    ['nonsense', '<html>', {}],
    ['nothing of use', '{"keys":[]}', {}],
    ['private keys', JSON.stringify({ keys: [{ ...old.privateKey.export({ format: 'jwk' }) }] }), {}],
    ['too much', `{"keys":[],"x":"${'x'.repeat(300_000)}"}`, {}],
  ])('cannot be had from %s, which is not asked again at once', async (_what, answer, headers) => {
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
  ])('cannot be had from a host that %s, which does no harm', async (_what, said) => {
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

  it('that were had before count no longer when they are due and cannot be fetched', async () => {
    const server = await keyServer(jwksOf(old))
    const keys = atUrl(server.url)
    await keys.kids(old)
    server.answer = 503
    keys.later(300)
    expect(await keys.kids(old)).toBeNull()
  })

  it('leave out what cannot be used here', async () => {
    const set = JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-384', x: 'a', y: 'b' }, old.publicJwk, { kty: 'new' }] })
    expect(await atUrl((await keyServer(set)).url).kids(old)).toEqual([old.kid])
  })

  it('are read from a file, and again soon after it changed', async () => {
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

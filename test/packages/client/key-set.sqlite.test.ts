import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  grpcKeySet,
  httpKeySet,
  type KeySet,
  KeySetUnavailableError,
} from '../../../packages/client/src/verification/key-set.ts'
import { offlineVerifier } from '../../../packages/client/src/verification/offline-verifier.ts'
import { signed, signingPair } from '../../setup/assertions.ts'
import { freePort } from '../../setup/free-port.ts'
import { grantsOn } from '../../setup/grants.ts'
import { JWT, jwtsOn, partOf } from '../../setup/jwt.ts'
import { type KeyServer, keyServer } from '../../setup/trusted-issuers.ts'
import { CHANNELS, givenServer } from './given.ts'

const AUDIENCE = 'https://warehouse.internal'
const server = givenServer()
let published: KeyServer
let token: string
beforeAll(async () => {
  const client = await server().registerClient({ audiences: [AUDIENCE], config: JWT })
  token = (await grantsOn(server()).mint(client, { audiences: [AUDIENCE] })).accessToken
  published = await keyServer(JSON.stringify(await jwtsOn(server()).keySet()))
})

const verifierWith = (keys: KeySet) => offlineVerifier({ keys, issuer: server().issuer, audience: AUDIENCE })
const foreign = async () => await signed(signingPair('ES256'), partOf(token, 1), { typ: 'at+jwt' })

describe('keys over HTTP', () => {
  it('verify tokens, and are fetched once, also for unknown key ids', async () => {
    const asked = published.asked
    const verifier = verifierWith(httpKeySet(new URL(published.url), { allowPlaintext: true }))
    expect(await verifier.verify({ value: token, certificate: null })).toMatchObject({ audiences: [AUDIENCE] })
    for (let n = 0; n < 5; n += 1)
      expect(await verifier.verify({ value: await foreign(), certificate: null })).toBeNull()
    expect(published.asked - asked).toBe(1)
  })

  it('are refused over plaintext, unless allowPlaintext is set', () => {
    expect(() => httpKeySet(new URL(published.url))).toThrow('https')
    expect(() => httpKeySet(new URL('file:///keys.json'), { allowPlaintext: true })).toThrow('https')
  })

  it('that cannot be fetched cause KeySetUnavailableError, not a refusal of the token', async () => {
    const url = new URL(`http://127.0.0.1:${await freePort()}/`)
    const verifier = verifierWith(httpKeySet(url, { allowPlaintext: true }))
    await expect(verifier.verify({ value: token, certificate: null })).rejects.toBeInstanceOf(KeySetUnavailableError)
  })
})

describe.each(CHANNELS)('keys over $transport', ({ open }) => {
  it('are fetched once for concurrent verifications, also for unknown key ids', async () => {
    const channel = open(server().address)
    onTestFinished(() => channel.close())
    const start = server().lines.length
    const verifier = verifierWith(grpcKeySet(channel))
    const good = Array.from({ length: 20 }, () => verifier.verify({ value: token, certificate: null }))
    expect((await Promise.all(good)).map((verified) => verified?.audiences)).toEqual(Array(20).fill([AUDIENCE]))
    for (let n = 0; n < 5; n += 1)
      expect(await verifier.verify({ value: await foreign(), certificate: null })).toBeNull()
    const calls = server()
      .lines.slice(start)
      .filter(({ method }) => String(method).endsWith('GetJsonWebKeySet'))
    expect(new Set(calls.map(({ rayId }) => rayId)).size).toBe(1)
  })

  it('that cannot be fetched cause KeySetUnavailableError, not a refusal of the token', async () => {
    const channel = open(`127.0.0.1:${await freePort()}`)
    onTestFinished(() => channel.close())
    const verifier = verifierWith(grpcKeySet(channel))
    await expect(verifier.verify({ value: token, certificate: null })).rejects.toBeInstanceOf(KeySetUnavailableError)
  })
})

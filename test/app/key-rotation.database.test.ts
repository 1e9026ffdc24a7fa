import { afterAll, beforeAll, expect, test } from 'vitest'
import { KeyService, SigningKeyState } from '../../src/gen/qscope/v1/key_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { grantsOn } from '../setup/grants.ts'
import { JWT, jwtsOn, partOf } from '../setup/jwt.ts'
import { startServer, type TestServer } from '../setup/server.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const ROTATING = { QSCOPE_SIGNING_KEY_ROTATION: '30d' }

onEveryBackend('the rotation of signing keys', (idle, database) => {
  let instances: readonly [TestServer, TestServer]
  beforeAll(async () => {
    const start = () => startServer(database.url, idle.keyring, idle.first, ROTATING)
    instances = [await start(), await start()]
  })
  afterAll(async () => {
    for (const instance of instances) await instance.stop()
  })

  const advance = (ms: number) => {
    for (const { clock } of instances) clock.advance(ms)
  }
  /** All instances at once; what they did, those left out that found another at it. */
  const round = async () => {
    const done = await Promise.all(instances.map(({ app }) => app.keyRotation.round()))
    return done.filter((each) => each !== null && each !== 'nothing')
  }
  const keysIn = async (state: SigningKeyState) => {
    const [server] = instances
    const grants = grantsOn(server)
    server.admin.token = (await grants.mint(server.admin)).accessToken
    const request = { state, pageSize: 1_000 }
    return (await server.call(KeyService.method.listSigningKeys, request, grants.bearer())).keys
  }
  const client = () => grantsOn(idle).serviceClient({ config: JWT })
  const kidsMinted = async (by: Awaited<ReturnType<typeof client>>) => {
    const minted = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => await grantsOn(instances[n % 2 === 0 ? 0 : 1]).mint(by)),
    )
    return [...new Set(minted.map(({ accessToken }) => String(partOf(accessToken, 0)['kid'])))]
  }

  test('is off by default', async () => {
    expect(await idle.app.keyRotation.round()).toBeNull()
  })

  test('does not create the first key, which the first token creates, once on two instances', async () => {
    expect(await round()).toEqual([])
    expect(await kidsMinted(await client())).toHaveLength(1)
    expect(await round()).toEqual([])
  })

  test('prepares the next key an hour ahead and activates it on time, on one instance for all', async () => {
    const service = await client()
    const [first] = await kidsMinted(service)
    advance(30 * DAY - HOUR - MINUTE)
    expect(await round()).toEqual([])
    advance(MINUTE)
    expect(await round()).toEqual(['prepared'])
    expect(await round()).toEqual([])
    const [next] = await keysIn(SigningKeyState.PREPARED)
    expect(next?.preparedBy).toBe('system:signing-key-rotation')
    expect(await kidsMinted(service)).toEqual([first])
    expect((await jwtsOn(instances[1]).keySet()).keys.map(({ kid }) => kid)).toEqual([first, next?.keyId])
    advance(HOUR)
    expect(await round()).toEqual(['activated'])
    expect(await kidsMinted(service)).toEqual([next?.keyId])
    expect((await keysIn(SigningKeyState.RETIRED)).map(({ keyId }) => keyId)).toEqual([first])
  })

  test('waits for the cache time of key sets if a key was prepared late', async () => {
    const [former] = await kidsMinted(await client())
    advance(45 * DAY)
    expect(await round()).toEqual(['prepared'])
    expect(await round()).toEqual([])
    advance(5 * MINUTE)
    expect(await round()).toEqual(['activated'])
    expect(await kidsMinted(await client())).not.toEqual([former])
  })

  test('continues for months with one signing key, and every token verifies offline until it expires', async () => {
    const service = await grantsOn(idle).serviceClient({ config: { ...JWT, accessTokenTtl: { seconds: 86_400n } } })
    const kept: { readonly token: string; readonly until: number }[] = []
    const [server] = instances
    for (let moment = 0; moment < 65 * DAY; moment += 12 * HOUR) {
      advance(12 * HOUR)
      await round()
      const { accessToken } = await grantsOn(instances[moment % DAY === 0 ? 0 : 1]).mint(service)
      kept.push({ token: accessToken, until: server.clock.now() + DAY - MINUTE })
      for (const { token } of kept.filter(({ until }) => until > server.clock.now())) {
        expect(await jwtsOn(server).verifyOffline(token, server.issuer)).toBeDefined()
      }
      expect(await keysIn(SigningKeyState.ACTIVE)).toHaveLength(1)
    }
    expect(new Set(kept.map(({ token }) => partOf(token, 0)['kid'])).size).toBe(3)
  }, 300_000)
})

import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, it, onTestFinished } from 'vitest'
import { GrantType } from '../../src/gen/qscope/v1/client_pb.ts'
import { DeviceService } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UsageService } from '../../src/gen/qscope/v1/usage_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { refusalOf } from '../setup/client.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { usageFollower } from '../setup/usage-follower.ts'

const { listUsage } = UsageService.method
const { mintToken } = TokenService.method
/** For a loaded machine. */
const PATIENCE = { timeout: 90_000, interval: 50 }
const DAY = 86_400_000

onEveryBackend('UsageService', (server, database) => {
  const bearer = () => ({ bearer: server.admin.token })
  const usageOf = async (clientId: string) => (await server.call(listUsage, { clientId }, bearer())).usages
  const grantedTo = async (clientId: string) =>
    Object.fromEntries(
      (await usageOf(clientId)).flatMap(({ scopes }) => scopes.map(({ scope, granted }) => [scope, Number(granted)])),
    )
  function followerOf(one: TestServer) {
    const follower = usageFollower(one)
    onTestFinished(() => follower.stop())
    return follower
  }
  const begun = () =>
    expect
      .poll(async () => (await database.query('select name from oauth_audit_followers')).length, PATIENCE)
      .toBeGreaterThan(0)

  it('counts the scopes of tokens by client and day, and lists the unused ones', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['a', 'b', 'c'] })
    followerOf(server).start()
    await begun()
    await server.call(mintToken, { client, scopes: ['a'] })
    await server.call(mintToken, { client, scopes: ['a', 'b'] })
    await refusalOf(server.call(mintToken, { client, scopes: ['d'] }))
    await expect.poll(() => grantedTo(clientId), PATIENCE).toEqual({ a: 2, b: 1 })
    const [usage] = await usageOf(clientId)
    expect(usage).toMatchObject({ clientId, neverUsedScopes: ['c'] })
    expect(Number(usage?.day?.seconds) % 86_400).toBe(0)
  })

  it('counts the scopes that users were asked for, apart from those of tokens', async () => {
    const { client, clientId } = await server.registerClient({
      scopes: ['a', 'b'],
      grantTypes: [GrantType.DEVICE_CODE],
    })
    followerOf(server).start()
    await begun()
    await server.call(DeviceService.method.startDeviceAuthorization, { client, scopes: ['a'] })
    await expect
      .poll(async () => await usageOf(clientId), PATIENCE)
      .toMatchObject([{ scopes: [{ scope: 'a', asked: 1n, granted: 0n }], neverUsedScopes: ['a', 'b'] }])
  })

  it('counts each token once, with any followers and interruptions', async () => {
    const { client, clientId } = await server.registerClient({ scopes: ['x'] })
    const other = await startServer(database.url, server.keyring, server.first)
    onTestFinished(() => other.stop())
    let minted = 0
    for (const [one, two] of [
      [server, other],
      [other, server],
    ] as const) {
      const followers = [followerOf(one), followerOf(two)]
      for (const follower of followers) follower.start()
      await begun()
      const minting = Array.from({ length: 20 }, () => server.call(mintToken, { client }))
      minted += 20
      await Promise.all(minting)
      // Some of it is counted by then, some by whoever follows next.
      for (const follower of followers) await follower.stop()
    }
    followerOf(server).start()
    await expect.poll(() => grantedTo(clientId), PATIENCE).toEqual({ x: minted })
  })

  it('is listed page by page, and by time', async () => {
    const clients = await Promise.all(['p', 'q', 'r'].map(() => server.registerClient({ scopes: ['s'] })))
    followerOf(server).start()
    await begun()
    for (const { client } of clients) await server.call(mintToken, { client })
    const wanted = clients.map(({ clientId }) => clientId).toSorted()
    await expect
      .poll(async () => (await Promise.all(wanted.map(usageOf))).every(({ length }) => length === 1), PATIENCE)
      .toBe(true)
    const found: string[] = []
    let pageToken = ''
    do {
      const page = await server.call(listUsage, { pageSize: 2, pageToken }, bearer())
      found.push(...page.usages.map(({ clientId }) => clientId))
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    expect(found.filter((clientId) => wanted.includes(clientId))).toEqual(wanted)
    const later = timestampFromMs(Date.now() + 2 * DAY)
    expect((await server.call(listUsage, { startTime: later }, bearer())).usages).toEqual([])
    const refused = await refusalOf(server.call(listUsage, { pageToken: 'x' }, bearer()))
    expect(refused).toMatchObject({ reason: 'OAUTH_INVALID_REQUEST', violations: ['page_token'] })
  })
})

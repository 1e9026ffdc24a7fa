import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { DeviceAuthorizationState } from '../../src/gen/qscope/v1/device_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { UserService } from '../../src/gen/qscope/v1/user_service_pb.ts'
import { refusalOf } from '../setup/client.ts'
import { databaseKinds, type FreshDatabase } from '../setup/fresh-database.ts'
import { type Grants, grantsOn } from '../setup/grants.ts'
import { scaled } from '../setup/scale.ts'
import { startServer, type TestServer } from '../setup/server.ts'
import { startMixedLoad } from './mixed-load.ts'
import { expectKept, expectOnlyRetryable, expectSound } from './what-holds.ts'

const ROUNDS = scaled(100, 2)
const MS_PER_ROUND = 4_000

for (const kind of databaseKinds) {
  describe.skipIf(!kind.available)(
    `two instances on one ${kind.name} under load`,
    { timeout: 20_000 + ROUNDS * MS_PER_ROUND },
    () => {
      let database: FreshDatabase
      let one: TestServer
      let two: TestServer
      let load: Awaited<ReturnType<typeof startMixedLoad>>
      let onOne: Grants
      let onTwo: Grants
      beforeAll(async () => {
        database = await kind.createMigrated()
        one = await startServer(database.url)
        two = await startServer(database.url, one.keyring, one.first)
        onOne = grantsOn(one)
        onTwo = grantsOn(two)
        load = await startMixedLoad([one, two])
      })
      afterAll(async () => {
        await two.stop()
        await one.stop()
        await database.drop()
      })

      async function inRounds(work: () => Promise<void>): Promise<void> {
        for (let round = 0; round < ROUNDS; round += 1) await work()
      }

      it('a token revoked on one is refused by the other in the next call', async () => {
        const service = await onOne.serviceClient()
        await inRounds(async () => {
          const { accessToken } = await onOne.mint(service)
          expect(await onTwo.isActive(accessToken)).toBe(true)
          await one.call(TokenService.method.revokeToken, { client: service.client, token: accessToken })
          expect(await onTwo.isActive(accessToken)).toBe(false)
        })
      })

      it('a client disabled on one is refused by the other in the next call', async () => {
        const service = await onOne.serviceClient()
        const { clientId } = service
        await inRounds(async () => {
          const { accessToken } = await onTwo.mint(service)
          await one.call(ClientService.method.disableClient, { clientId }, onOne.bearer())
          expect((await refusalOf(onTwo.mint(service))).reason).toBe('OAUTH_INVALID_CLIENT')
          expect(await onTwo.isActive(accessToken)).toBe(false)
          await one.call(ClientService.method.enableClient, { clientId }, onOne.bearer())
          expect(await onTwo.isActive(accessToken)).toBe(true)
        })
      })

      it('the tokens of a user deactivated on one are refused by the other in the next call', async () => {
        const web = await onOne.webClient()
        await inRounds(async () => {
          const user = onOne.newUser()
          const { accessToken, refreshToken } = await onOne.signIn(web, { user })
          const { user: found } = await two.call(UserService.method.getUser, user, onTwo.bearer())
          const userId = found?.userId ?? ''
          await one.call(UserService.method.deactivateUser, { userId }, onOne.bearer())
          expect(await onTwo.isActive(accessToken)).toBe(false)
          expect((await refusalOf(onTwo.refresh(web, refreshToken))).reason).toBe('OAUTH_INVALID_GRANT')
        })
      })

      it('the approval of a device on one ends a watch on the other', async () => {
        const device = await onOne.deviceClient()
        await inRounds(async () => {
          const started = await onTwo.startDevice(device)
          const watch = onTwo.watchDevice(device, started)
          await onOne.approveDevice(started)
          await watch.ended
          const last = watch.items.at(-1)
          expect(last?.state).toBe(DeviceAuthorizationState.APPROVED)
          expect(await onOne.isActive(last?.token?.accessToken ?? '')).toBe(true)
        })
      })

      it('the concurrent load is served, and its answered writes are kept', async () => {
        const record = await load.stop()
        expect(record.answers).toBeGreaterThan(100)
        expectOnlyRetryable(record)
        for (const server of [one, two]) await expectKept(server, load.client, record)
        await expectSound(database.query)
      })
    },
  )
}

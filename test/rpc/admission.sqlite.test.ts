import { setTimeout as sleep } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { type Client, status } from '@grpc/grpc-js'
import { expect, it, onTestFinished } from 'vitest'
import { MintTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { fail } from '../../src/results.ts'
import { call, openHarness, tokenRoutes } from '../transports/grpc/harness.ts'

const { goodSecret, startServer } = await openHarness()

const { mintToken } = TokenService.method
const UNAUTHENTICATED = status.UNAUTHENTICATED

function requestOf(clientId: string, value: string): Uint8Array {
  return toBinary(
    MintTokenRequestSchema,
    create(MintTokenRequestSchema, { client: { clientId, method: { case: 'clientSecret', value } } }),
  )
}

const HONEST = requestOf('orders', goodSecret)

/** A server whose handler keeps all calls until it is told to let them go. */
async function holding() {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  let running = 0
  const server = await startServer(
    tokenRoutes({
      mintToken: async () => {
        running += 1
        await released
        return fail('oauth.server_error')
      },
    }),
  )
  onTestFinished(() => release())
  return {
    client: server.client,
    release,
    /** How many run when no more are let in, of at least so many. */
    async mostRunning(least: number): Promise<number> {
      await expect.poll(() => running, { timeout: 15_000 }).toBeGreaterThanOrEqual(least)
      for (let before = -1; before !== running; ) {
        before = running
        await sleep(1_000)
      }
      return running
    },
  }
}

/** As many calls of the honest client as may run at once: one runs, and `meanwhile` happens, before the others come. */
async function mostAtOnce(meanwhile: (client: Client) => Promise<void>): Promise<number> {
  const { client, release, mostRunning } = await holding()
  const proving = await call(client, TokenService.method.introspectToken, HONEST)
  expect(proving.error?.code).not.toBe(UNAUTHENTICATED)
  const calls = [call(client, mintToken, HONEST)]
  expect(await mostRunning(1)).toBe(1)
  await meanwhile(client)
  for (let n = 0; n < 100; n += 1) calls.push(call(client, mintToken, HONEST))
  const most = await mostRunning(2)
  release()
  await Promise.all(calls)
  return most
}

it('lets a client run as many calls with failing calls of invented clients as alone', async () => {
  const alone = await mostAtOnce(async () => undefined)
  const beside = await mostAtOnce(async (client) => {
    for (let n = 0; n < 3; n += 1) {
      const refused = await call(client, mintToken, requestOf(`made-up-${n}`, 'wrong'))
      expect(refused.error?.code).toBe(UNAUTHENTICATED)
    }
  })
  expect(alone).toBeGreaterThan(10)
  expect(beside).toBe(alone)
}, 60_000)

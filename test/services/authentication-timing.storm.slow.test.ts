import { expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { calmest } from '../setup/calmest.ts'
import { refusalOf } from '../setup/client.ts'
import { scaled } from '../setup/scale.ts'
import type { TestServer } from '../setup/server.ts'

const WARM_UP = 300
const CALLERS = 8
const ROUNDS = scaled(10_000, 1_500)
/** Of the medians. */
const MAX_SPREAD = 1.05

/** Each kind is told apart by its time, not by how often it failed. */
const variables = {
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
}

const suite = (server: TestServer) => {
  it(`takes the same time for an unknown client, a wrong secret and a disabled client (${ROUNDS} calls each)`, async () => {
    const known = await server.registerClient({})
    const disabled = await server.registerClient({})
    const { clientId } = disabled
    await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
    const kinds = {
      unknown: { ...known.client, clientId: crypto.randomUUID().slice(0, known.clientId.length) },
      wrong: { ...known.client, method: disabled.client.method },
      disabled: disabled.client,
    }
    const names = ['unknown', 'wrong', 'disabled'] as const
    const spread = await calmest(MAX_SPREAD, async () => {
      const times = { unknown: [] as number[], wrong: [] as number[], disabled: [] as number[] }
      let round = -WARM_UP
      const callers = Array.from({ length: CALLERS }, async () => {
        while (round < ROUNDS) {
          const counted = round >= 0
          round += 1
          // Every kind follows every other as often.
          const first = Math.floor(Math.random() * names.length)
          const step = Math.random() < 0.5 ? 1 : 2
          for (const at of names.keys()) {
            const name = names[(first + at * step) % names.length] ?? 'unknown'
            const begun = performance.now()
            const refusal = await refusalOf(server.call(TokenService.method.mintToken, { client: kinds[name] }))
            const took = performance.now() - begun
            expect(refusal.message).toMatch(
              /^UNAUTHENTICATED OAUTH_INVALID_CLIENT: Client authentication failed\. Check the client id and /,
            )
            if (counted) times[name].push(took)
          }
        }
      })
      await Promise.all(callers)
      const medians = names.map((name) => median(times[name]))
      return Math.max(...medians) / Math.min(...medians)
    })
    expect(spread).toBeLessThan(MAX_SPREAD)
  }, 600_000)
}

onEveryBackend('client authentication', suite, { variables })

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'
import { ClientService } from '../../src/gen/qscope/v1/client_service_pb.ts'
import { type MintTokenRequestSchema, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { signed, signingPair } from '../setup/assertions.ts'
import { onEveryBackend } from '../setup/backends.ts'
import { calmest } from '../setup/calmest.ts'
import { refusalOf } from '../setup/client.ts'
import { jwtPlatform, type Platform, workload } from '../setup/federated.ts'
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

type Presented = NonNullable<MessageInitShape<typeof MintTokenRequestSchema>['client']>
/** What only differs in whether there is such a client, and in what state it is. */
type Kinds = Readonly<Record<'unknown' | 'wrong' | 'disabled', Presented>>

const names = ['unknown', 'wrong', 'disabled'] as const

async function disable(server: TestServer, clientId: string): Promise<void> {
  await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
}

const unknownLike = ({ clientId }: { readonly clientId: string }) => crypto.randomUUID().slice(0, clientId.length)

async function secrets(server: TestServer): Promise<Kinds> {
  const known = await server.registerClient({})
  const disabled = await server.registerClient({})
  await disable(server, disabled.clientId)
  return {
    unknown: { ...known.client, clientId: unknownLike(known) },
    wrong: { ...known.client, method: disabled.client.method },
    disabled: disabled.client,
  }
}

/** One assertion of the platform, for all of them alike: `assertionFor` is told of the client that is disabled. */
async function assertions(
  server: TestServer,
  assertionFor: (named: Awaited<ReturnType<typeof workload>>, platform: Platform) => Promise<string>,
): Promise<Kinds> {
  const platform = await jwtPlatform(server)
  const known = await workload(server, platform)
  const disabled = await workload(server, platform)
  await disable(server, disabled.clientId)
  const value = await assertionFor(disabled, platform)
  return {
    unknown: { ...disabled.proof(value), clientId: unknownLike(known) },
    wrong: known.proof(value),
    disabled: disabled.proof(value),
  }
}

const CREDENTIALS: readonly (readonly [string, (server: TestServer) => Promise<Kinds>])[] = [
  ['a secret', secrets],
  ["an assertion of another's subject", (server) => assertions(server, (named) => named.assertion())],
  [
    'an assertion of a wrong signature',
    (server) => assertions(server, (named, { pair }) => signed(signingPair('RS256', pair.kid), named.claims())),
  ],
  [
    'an assertion of an unknown issuer',
    (server) => assertions(server, (named) => named.assertion({ iss: 'https://unknown.example' })),
  ],
]

const suite = (server: TestServer) => {
  it.each(CREDENTIALS)(
    `takes the same time for an unknown client, one that %s does not prove, and a disabled client (${ROUNDS} calls each)`,
    async (_, given) => {
      const kinds = await given(server)
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
    },
    600_000,
  )
}

onEveryBackend('client authentication', suite, { variables })

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

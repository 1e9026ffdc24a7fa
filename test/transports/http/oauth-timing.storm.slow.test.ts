import { expect, it } from 'vitest'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { jwtPlatform, workload } from '../../setup/federated.ts'
import { ASSERTION_TYPE, type FormAnswer, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { inFull, scaled } from '../../setup/scale.ts'
import { startApplication } from './application.ts'

const MINT = GRANT_TYPES.clientCredentials
const WARM_UP = 200
const CALLERS = 8
const ROUNDS = scaled(10_000, 800)
/** The limit for the ratio of medians: 5 % in a full run, and 50 % with fewer calls, which scatter more on a shared machine. */
const MAX_SPREAD = inFull ? 1.05 : 1.5

/** Without limits for failures, because the test compares times. */
const server = await startApplication({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
})

const forms = formsOn(server)

async function disable(clientId: string): Promise<void> {
  await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
}

/** The fields of forms that differ only in the existence and the state of the client. */
type Kinds = Readonly<Record<(typeof NAMES)[number], Readonly<Record<string, string>>>>

const unknownLike = (clientId: string) => crypto.randomUUID().slice(0, clientId.length)

async function secrets(): Promise<Kinds> {
  const known = await server.registerClient({})
  const { clientId, clientSecret } = await server.registerClient({})
  await disable(clientId)
  return {
    unknown: { client_id: unknownLike(clientId), client_secret: known.clientSecret },
    wrong: { client_id: known.clientId, client_secret: clientSecret },
    disabled: { client_id: clientId, client_secret: clientSecret },
  }
}

/** All kinds present the assertion of the disabled client. */
async function assertions(): Promise<Kinds> {
  const platform = await jwtPlatform(server)
  const known = await workload(server, platform)
  const { clientId, assertion } = await workload(server, platform)
  await disable(clientId)
  const proof = { client_assertion_type: ASSERTION_TYPE, client_assertion: await assertion() }
  return {
    unknown: { client_id: unknownLike(clientId), ...proof },
    wrong: { client_id: known.clientId, ...proof },
    disabled: { client_id: clientId, ...proof },
  }
}

it.each([
  ['a secret', secrets],
  ["an assertion of another's subject", assertions],
])(
  `with %s, a form takes the same time for an unknown client, a failed authentication and a disabled client (${ROUNDS} calls each)`,
  async (_, given) => {
    const kinds = await given()
    const spread = await spreadOfMedians(async (name) => await forms.token({ grant_type: MINT, ...kinds[name] }))
    expect(spread).toBeLessThan(MAX_SPREAD)
  },
  300_000,
)

const NAMES = Object.freeze(['unknown', 'wrong', 'disabled'] as const)

/** The ratio of the largest median of the three kinds to the smallest. All must be refused with the same text. */
async function spreadOfMedians(ask: (name: (typeof NAMES)[number]) => Promise<FormAnswer>): Promise<number> {
  const times = { unknown: [] as number[], wrong: [] as number[], disabled: [] as number[] }
  const texts = new Set<string>()
  let round = -WARM_UP
  const callers = Array.from({ length: CALLERS }, async () => {
    while (round < ROUNDS) {
      const counted = round >= 0
      round += 1
      // A random order, so that every kind follows every other equally often.
      const first = Math.floor(Math.random() * NAMES.length)
      const step = Math.random() < 0.5 ? 1 : 2
      for (const at of NAMES.keys()) {
        const name = NAMES[(first + at * step) % NAMES.length] ?? 'unknown'
        const begun = performance.now()
        const { status, text } = await ask(name)
        const took = performance.now() - begun
        expect(status).toBe(401)
        texts.add(text)
        if (counted) times[name].push(took)
      }
    }
  })
  await Promise.all(callers)
  expect(texts.size).toBe(1)
  const medians = NAMES.map((name) => median(times[name]))
  return Math.max(...medians) / Math.min(...medians)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

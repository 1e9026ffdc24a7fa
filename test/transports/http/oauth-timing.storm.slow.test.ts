import { expect, it } from 'vitest'
import { ClientService } from '../../../src/gen/qscope/v1/client_service_pb.ts'
import { type FormAnswer, formsOn, GRANT_TYPES } from '../../setup/forms.ts'
import { inFull, scaled } from '../../setup/scale.ts'
import { startApplication } from './application.ts'

const MINT = GRANT_TYPES.clientCredentials
const WARM_UP = 200
const CALLERS = 8
const ROUNDS = scaled(10_000, 800)
/** Of the medians: 5 % in full; few calls on a machine that is shared scatter by more, and are held to ten times that. */
const MAX_SPREAD = inFull ? 1.05 : 1.5

/** Each kind is told apart by its time, not by how often it failed. */
const server = await startApplication({
  QSCOPE_AUTHENTICATION_FAILURES_PER_CLIENT: 'off',
  QSCOPE_AUTHENTICATION_FAILURES_PER_PEER: 'off',
})

it(`a form takes the same time for an unknown client, a wrong secret and a disabled client (${ROUNDS} calls each)`, async () => {
  const forms = formsOn(server)
  const known = await server.registerClient({})
  const disabled = await server.registerClient({})
  const { clientId } = disabled
  await server.call(ClientService.method.disableClient, { clientId }, { bearer: server.admin.token })
  const kinds = {
    unknown: { client_id: crypto.randomUUID().slice(0, clientId.length), client_secret: known.clientSecret },
    wrong: { client_id: known.clientId, client_secret: disabled.clientSecret },
    disabled: { client_id: clientId, client_secret: disabled.clientSecret },
  }
  const spread = await spreadOfMedians(async (name) => await forms.token({ grant_type: MINT, ...kinds[name] }))
  expect(spread).toBeLessThan(MAX_SPREAD)
}, 300_000)

const NAMES = Object.freeze(['unknown', 'wrong', 'disabled'] as const)

/** The largest median of the three kinds by the smallest; all are refused in the same words. */
async function spreadOfMedians(ask: (name: (typeof NAMES)[number]) => Promise<FormAnswer>): Promise<number> {
  const times = { unknown: [] as number[], wrong: [] as number[], disabled: [] as number[] }
  const texts = new Set<string>()
  let round = -WARM_UP
  const callers = Array.from({ length: CALLERS }, async () => {
    while (round < ROUNDS) {
      const counted = round >= 0
      round += 1
      // Every kind follows every other as often.
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

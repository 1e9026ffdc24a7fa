/**
 * Measures verification from memory with a real server: `npm run bench:verifier`. For comparison, it also measures the
 * look-up of the same token in a plain map, and the verifiers without a cache. Each use of a token creates a new string, as
 * in a call. Rates are per second of elapsed time, and per second of one core that this process used. On an idle machine both
 * are the same. The server's usage is reported separately.
 */
import { credentials } from '@grpc/grpc-js'
import { grpcJsChannel } from '../../packages/client/src/grpc-js/channel.ts'
import { CachingVerifier } from '../../packages/client/src/verification/caching/caching-verifier.ts'
import { grpcKeySet } from '../../packages/client/src/verification/key-set.ts'
import { offlineVerifier } from '../../packages/client/src/verification/offline-verifier.ts'
import { onlineVerifier } from '../../packages/client/src/verification/online-verifier.ts'
import type { TokenVerifier } from '../../packages/client/src/verification/token-verifier.ts'
import { machineLine, thisMachine } from '../report/machine.ts'
import { AUDIENCE, givenServer, ISSUER } from './given-server.ts'

const TOKENS = 10_000
const ROUNDS = 5
const ROUND_MS = 500
const IN_FLIGHT = 32

interface Rate {
  readonly perSecond: number
  readonly perCoreSecond: number
}

/** Verifies this number of further tokens. */
type Work = (count: number) => Promise<void> | void

const given = await givenServer(TOKENS)
const channel = grpcJsChannel(given.address, { credentials: credentials.createInsecure() })
const verifier = new CachingVerifier(channel, {
  caller: given.warehouse,
  audience: AUDIENCE,
  issuer: ISSUER,
  maxAnswers: 3 * TOKENS,
  // A busy machine polls late.
  boundMs: 120_000,
})
while (!verifier.state.acceptsOffline) await new Promise((resolve) => setTimeout(resolve, 5))

console.log(
  `${machineLine(thisMachine())}; ${TOKENS} tokens of each kind; medians of ${ROUNDS} rounds of ${ROUND_MS} ms\n`,
)
console.log(`${'each second'.padStart(52)}${'each second of a core'.padStart(24)}  of the look-up`)
for (const [kind, tokens] of [
  ['opaque', given.opaque],
  ['JWT', given.jwts],
] as const) {
  const next = circle(tokens)
  await inFlight(verifier, next)(TOKENS)
  const known = new Map(tokens.map((token) => [token, token]))
  const lookUp = await measure((count) => {
    for (let n = 0; n < count; n += 1) if (known.get(next()) === undefined) throw new Error('not in the map')
  })
  const rows: readonly (readonly [string, Work])[] = [
    ['from memory, recall', recalling(next)],
    ['from memory, verify', awaiting(next)],
    ['VerifyToken for each', inFlight(onlineVerifier(channel, { caller: given.warehouse, audience: AUDIENCE }), next)],
    ...(kind === 'JWT' ? ([['signature for each', inFlight(byKeySet(), next)]] as const) : []),
  ]
  tell(kind, `look-up in a map of ${tokens[0]?.length} characters`, lookUp, lookUp)
  for (const [name, work] of rows) tell(kind, name, await measure(work), lookUp)
}
verifier.close()
channel.close()
await given.stop()

function recalling(next: () => string): Work {
  return (count) => {
    for (let n = 0; n < count; n += 1) mustBeGood(verifier.recall({ value: next(), certificate: null }))
  }
}

function awaiting(next: () => string): Work {
  return async (count) => {
    for (let n = 0; n < count; n += 1) mustBeGood(await verifier.verify({ value: next(), certificate: null }))
  }
}

function inFlight(asked: TokenVerifier, next: () => string): Work {
  return async (count) => {
    const chain = async () => {
      for (let n = 0; n < count / IN_FLIGHT; n += 1)
        mustBeGood(await asked.verify({ value: next(), certificate: null }))
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, chain))
  }
}

function byKeySet(): TokenVerifier {
  return offlineVerifier({ keys: grpcKeySet(channel), issuer: ISSUER, audience: AUDIENCE })
}

function mustBeGood(token: object | null | undefined): void {
  if (token === null || token === undefined) throw new Error('a good token was refused')
}

/** Returns the tokens in turn, each as a new string. */
function circle(tokens: readonly string[]): () => string {
  const bytes = tokens.map((token) => Buffer.from(token, 'latin1'))
  let at = 0
  return () => {
    const token = bytes[at]?.toString('latin1') ?? ''
    at = at + 1 === bytes.length ? 0 : at + 1
    return token
  }
}

/** The medians of several rounds. */
async function measure(work: Work): Promise<Rate> {
  const rates: Rate[] = []
  for (let batch = 64; rates.length < ROUNDS + 1; ) {
    const [begun, used] = [performance.now(), process.cpuUsage()]
    let done = 0
    while (performance.now() - begun < ROUND_MS) {
      const batchBegun = performance.now()
      await work(batch)
      done += batch
      if (performance.now() - batchBegun < ROUND_MS / 20) batch *= 2
      // Allows the poll to be answered.
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { user, system } = process.cpuUsage(used)
    rates.push({
      perSecond: (done * 1_000) / (performance.now() - begun),
      perCoreSecond: (done * 1_000_000) / (user + system),
    })
  }
  // The first round warms up.
  const measured = rates.slice(1)
  return {
    perSecond: median(measured.map(({ perSecond }) => perSecond)),
    perCoreSecond: median(measured.map(({ perCoreSecond }) => perCoreSecond)),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}

function tell(kind: string, name: string, rate: Rate, lookUp: Rate): void {
  const [each, ofCore] = [rate.perSecond, rate.perCoreSecond].map((count) => Math.round(count).toLocaleString('en'))
  const share = (rate.perCoreSecond / lookUp.perCoreSecond).toFixed(3)
  console.log(`${kind.padEnd(7)}${name.padEnd(33)}${each?.padStart(12)}${ofCore?.padStart(24)}  ${share}`)
}

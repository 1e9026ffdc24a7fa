/**
 * Measures the load of waiting verifiers on a server, and how soon they learn of a revocation: `npm run bench:polls`. 1,000
 * verifiers, or the number in the first argument, each wait in a `PollRevocations` call. At first nothing is revoked. Then
 * one token at a time is revoked. The time counts from the answer of `RevokeToken` until a verifier has the key.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { RevocationStart, TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect } from '../../test/setup/client.ts'
import { freePort } from '../free-port.ts'
import { machineLine, thisMachine } from '../report/machine.ts'
import { usageOf } from '../run/process-usage.ts'
import { clientField } from '../server/credentials.ts'
import { givenServer } from '../verifier/given-server.ts'

const VERIFIERS = Number(process.argv[2] ?? '1000')
const PER_CONNECTION = 20
const IDLE_MS = 20_000
const REVOCATIONS = 40
const BETWEEN_MS = 300
const { pollRevocations, revokeToken } = TokenService.method

const httpListen = `127.0.0.1:${await freePort()}`
const given = await givenServer(100, { QSCOPE_HTTP_LISTEN: httpListen, QSCOPE_LOG_LEVEL: 'warn' })
const client = clientField(given.warehouse)
const connections: Connection[] = []
/** The times at which verifiers learned of the current revocation. */
let heard: number[] = []
let isOver = false

async function verifier(connection: Connection): Promise<void> {
  let { nextCursor } = await connection.call(pollRevocations, {
    client,
    from: { case: 'start', value: RevocationStart.NOW },
  })
  while (!isOver) {
    const request = { client, from: { case: 'cursor' as const, value: nextCursor }, wait: { seconds: 30n } }
    const answer = await connection.call(pollRevocations, request, { deadlineMs: 60_000 })
    if (answer.revocations.length > 0) heard.push(performance.now())
    nextCursor = answer.nextCursor
  }
}

async function metric(name: string): Promise<number> {
  const page = await (await fetch(`http://${httpListen}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN)
}

/** The server's load during `work`: milliseconds of a core per second, and queries per second. */
async function during(work: () => Promise<void>): Promise<string> {
  const before = { usage: usageOf(given.pid), queries: await metric('qscope_revocation_queries_total') }
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1_000
  const after = { usage: usageOf(given.pid), queries: await metric('qscope_revocation_queries_total') }
  const cpu = ((after.usage?.cpuSeconds ?? Number.NaN) - (before.usage?.cpuSeconds ?? Number.NaN)) / seconds
  const resident = (after.usage?.resident ?? []).reduce((sum, each) => sum + each, 0)
  return `${(cpu * 100).toFixed(1)} % of a core, ${((after.queries - before.queries) / seconds).toFixed(1)} queries/s, ${Math.round(resident / 2 ** 20)} MiB resident`
}

const quantile = (values: readonly number[], part: number) =>
  `${Math.round(values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN)} ms`

console.log(machineLine(thisMachine()))
console.log(`nobody waits: ${await during(() => sleep(IDLE_MS / 2))}`)
const running = Array.from({ length: VERIFIERS }, (_, n) => {
  if (n % PER_CONNECTION === 0) connections.push(connect(given.address, { ownSocket: true }))
  return verifier(connections.at(-1) as Connection)
})
while ((await metric('qscope_revocation_polls_waiting')) < VERIFIERS) await sleep(50)
console.log(`${VERIFIERS} wait: ${await during(() => sleep(IDLE_MS))}`)

const each: number[] = []
const last: number[] = []
const told = await during(async () => {
  for (const token of given.opaque.slice(0, REVOCATIONS)) {
    heard = []
    await connections[0]?.call(revokeToken, { client: clientField(given.orders), token })
    const answered = performance.now()
    while (heard.length < VERIFIERS) await sleep(1)
    each.push(...heard.map((at) => at - answered))
    last.push(Math.max(...heard) - answered)
    await sleep(BETWEEN_MS)
  }
})
console.log(`${REVOCATIONS} revocations, ${BETWEEN_MS} ms apart: ${told}`)
console.log(`a verifier hears after ${quantile(each, 0.5)} (p50), ${quantile(each, 0.99)} (p99)`)
console.log(`the last one after ${quantile(last, 0.5)} (p50), ${quantile(last, 0.99)} (p99)`)
isOver = true
await given.stop()
for (const connection of connections) connection.close()
await Promise.allSettled(running)

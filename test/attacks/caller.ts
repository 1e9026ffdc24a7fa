/** A process that mints tokens at a fixed rate until it is stopped; prints the duration of each call. */
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'

const [address = '', clientId = '', secret = '', perSecond = '50'] = process.argv.slice(2)
const connection = connect(address, { ownSocket: true })
const client = { clientId, method: { case: 'clientSecret' as const, value: secret } }
const times: number[] = []
const running = new Set<Promise<void>>()

async function call(): Promise<void> {
  const begun = performance.now()
  await connection.call(TokenService.method.mintToken, { client }, { deadlineMs: 120_000 })
  times.push(performance.now() - begun)
}

await call()
process.stdout.write('calling\n')
const begun = performance.now()
let started = 0
const clock = setInterval(() => {
  // Calls that are overdue are made up for: a call is due even if the previous one is not answered.
  for (const due = ((performance.now() - begun) / 1_000) * Number(perSecond); started < due; started += 1) {
    const one = call().finally(() => running.delete(one))
    running.add(one)
  }
}, 5)
process.once('SIGTERM', async () => {
  clearInterval(clock)
  await Promise.all(running)
  connection.close()
  process.stdout.write(`${JSON.stringify(times)}\n`)
})

/** A process that keeps a fixed number of mints of one client in flight until it is stopped; prints how many were answered. */
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { connect } from '../setup/client.ts'

const [address = '', clientId = '', secret = '', atOnce = '0'] = process.argv.slice(2)
const connection = connect(address, { ownSocket: true })
const client = { clientId, method: { case: 'clientSecret' as const, value: secret } }
let on = true
let answered = 0
process.once('SIGTERM', () => {
  on = false
})
process.stdout.write('flooding\n')
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    while (on) {
      await connection.call(TokenService.method.mintToken, { client })
      answered += 1
    }
  }),
)
connection.close()
process.stdout.write(`${answered}\n`)

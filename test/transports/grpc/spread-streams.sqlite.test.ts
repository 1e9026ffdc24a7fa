import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { TokenService } from '../../../src/gen/qscope/v1/token_service_pb.ts'
import { success } from '../../../src/results.ts'
import { SpreadArrivals } from '../../../src/transports/grpc-js/spread-streams.ts'
import { callHeaders, FLAG, frame, HELLO, openRaw, TYPE } from '../../attacks/raw-http2.ts'
import { call, openHarness, tokenRoutes } from './harness.ts'

const { goodSecret, startServer } = await openHarness()

const { mintToken } = TokenService.method
const client = { clientId: 'orders', method: { case: 'clientSecret' as const, value: goodSecret } }
const minting = tokenRoutes({
  mintToken: async () => success({ token: { accessToken: 'qat_issued', tokenType: 'Bearer' } }),
})

describe('calls that arrive together', () => {
  it('start in several turns, in order, interleaved with those of another connection', async () => {
    const arrivals = new SpreadArrivals()
    const [many, one] = [{}, {}]
    const begun: string[] = []
    const arrive = (connection: object, name: string) => {
      if (arrivals.mayStart()) begun.push(name)
      else arrivals.wait(connection, () => void begun.push(name))
    }
    const names = Array.from({ length: 100 }, (_, n) => `many ${n}`)
    for (const name of names) arrive(many, name)
    arrive(one, 'one')
    expect(begun).toEqual(names.slice(0, 32))
    await nextTurn()
    expect(begun).toHaveLength(64)
    expect(begun).toContain('one')
    await nextTurn()
    await nextTurn()
    expect(begun.filter((name) => name !== 'one')).toEqual(names)
    // A later call starts at once.
    await nextTurn()
    expect(arrivals.mayStart()).toBe(true)
  })

  it('are all answered', async () => {
    const server = await startServer(minting)
    const answers = await Promise.all(Array.from({ length: 500 }, () => call(server.client, mintToken, { client })))
    for (const { error } of answers) expect(error).toBeNull()
  })

  it.each([
    ['with an error', {}, 1],
    ['with data, to a method that there is not', { ':path': '/no.such.Service/Method' }, 8],
    ['with data, in a type that is not known', { 'content-type': 'text/plain' }, 0],
  ])('may be cancelled before they have started, %s', async (_how, headers, code) => {
    const server = await startServer(minting)
    const raw = await openRaw(Number(server.address.split(':')[1]))
    const reset = Buffer.of(0, 0, 0, code)
    const streams = Array.from({ length: 200 }, (_, n) => 2 * n + 1)
    const block = callHeaders(headers)
    await raw.send(
      Buffer.concat([
        HELLO,
        ...streams.map((stream) => frame(TYPE.HEADERS, FLAG.END_HEADERS, stream, block)),
        ...streams.map((stream) => frame(TYPE.DATA, 0, stream, Buffer.alloc(10))),
        ...streams.map((stream) => frame(TYPE.RST, 0, stream, reset)),
      ]),
    )
    expect((await call(server.client, mintToken, { client })).error).toBeNull()
    raw.socket.destroy()
  })
})

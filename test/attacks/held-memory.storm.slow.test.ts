import { connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { scaled } from '../setup/scale.ts'
import {
  callHeaders,
  FLAG,
  frame,
  grpcMessage,
  HELLO,
  openRaw,
  PREFACE,
  type RawConnection,
  TYPE,
} from './raw-http2.ts'
import { rawCall } from './raw-streams.ts'
import { type Served, serve } from './served.ts'

const KIB = 1024
const MIB = 1024 * KIB
const IDLE = scaled(1_000, 100)
const SLOW = scaled(100, 10)
/** More streams than a server allows on a connection. */
const STREAMS = 2_000
/** `SETTINGS_INITIAL_WINDOW_SIZE` = 0 (RFC 9113 §6.5.2): the peer accepts only headers. */
const SHUT = frame(TYPE.SETTINGS, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0))
/** `ServerReflectionRequest.file_containing_symbol` (4): the answer has more than 100 kB. */
const SYMBOL = Buffer.from('qscope.v1.TokenService')
const LARGE_ANSWER = grpcMessage(Buffer.concat([Buffer.of(0x22, SYMBOL.byteLength), SYMBOL]))
const REFLECTION = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'

/** The memory of the server after garbage collection, for connections and calls of others. */
describe('the memory of a server', () => {
  let served: Served
  beforeAll(async () => {
    served = await serve()
  })
  afterAll(() => served.stop())

  async function open(count: number): Promise<readonly RawConnection[]> {
    const connections: RawConnection[] = []
    for (let index = 0; index < count; index += 1) connections.push(await openRaw(served.port))
    onTestFinished(() => {
      for (const { socket } of connections) socket.destroy()
    })
    return connections
  }
  /** The growth of memory after the server has read everything. */
  async function growthOf(attack: () => Promise<void>): Promise<number> {
    const before = await served.heap()
    await attack()
    await sleep(1_000)
    return (await served.heap()) - before
  }

  it(`for ${IDLE} idle connections is little`, async () => {
    const growth = await growthOf(async () => {
      for (const { send } of await open(IDLE)) await send(HELLO)
    })
    expect(growth / IDLE).toBeLessThan(32 * KIB)
  })

  it(`for each of ${SLOW} callers that read nothing is bounded, however much they ask for`, async () => {
    const growth = await growthOf(async () => {
      for (const connection of await open(SLOW)) {
        await connection.send(PREFACE, SHUT)
        for (let stream = 1; stream < 200; stream += 2) {
          const headers = callHeaders({ ':path': REFLECTION })
          await connection.send(
            frame(TYPE.HEADERS, FLAG.END_HEADERS, stream, headers),
            frame(TYPE.DATA, FLAG.END_STREAM, stream, LARGE_ANSWER),
          )
        }
      }
    })
    expect(growth / SLOW).toBeLessThan(4 * MIB)
  })

  it('for the worst that a single connection can send is bounded, and given back', async () => {
    // The attacker obeys flow control, so that the connection is not closed for that.
    const session = connect(`http://${served.address}`)
    session.on('error', () => undefined)
    onTestFinished(() => session.destroy())
    const before = await served.heap()
    const unfinished = grpcMessage(Buffer.alloc(MIB - 1_000), 0, MIB)
    for (let index = 0; index < STREAMS && !session.destroyed; index += 1) {
      rawCall(session, '/qscope.v1.TokenService/MintToken', { 'x-filler': 'x'.repeat(7_000) }).write(unfinished)
    }
    let most = 0
    for (let sample = 0; sample < 20; sample += 1) {
      most = Math.max(most, (await served.heap()) - before)
      await sleep(200)
    }
    expect(most).toBeGreaterThan(MIB)
    expect(most).toBeLessThan(80 * MIB)
    session.destroy()
    await expect.poll(async () => (await served.heap()) - before).toBeLessThan(4 * MIB)
  })
})

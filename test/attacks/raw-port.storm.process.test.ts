import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Health, HealthCheckResponse_ServingStatus as Serving } from '../../src/gen/grpc/health/v1/health_pb.ts'
import { TokenService } from '../../src/gen/qscope/v1/token_service_pb.ts'
import { type Connection, connect } from '../setup/client.ts'
import { scaled } from '../setup/scale.ts'
import {
  callHeaders,
  FLAG,
  frame,
  grpcMessage,
  HELLO,
  headerBlock,
  openRaw,
  PREFACE,
  type RawConnection,
  TYPE,
  wholeCall,
} from './raw-http2.ts'
import { type Served, serve } from './served.ts'

const FLOOD = scaled(100_000)
const CONNECTIONS = scaled(1_000)
const MAX_GROWTH = 64 * 1024 * 1024
const WITHIN_MS = 5_000

describe('the raw port', () => {
  let served: Served
  /** A connection that stays open during all attacks. */
  let bystander: Connection
  let atFirst = 0
  const open: RawConnection[] = []
  const raw = async () => {
    const connection = await openRaw(served.port)
    open.push(connection)
    return connection
  }

  const mintOn = async (connection: Connection) => {
    const client = { clientId: 'admin', method: { case: 'clientSecret' as const, value: served.secret } }
    const { token } = await connection.call(TokenService.method.mintToken, { client }, { deadlineMs: WITHIN_MS })
    return token?.tokenType
  }
  /** Existing and new connections are served during the attack. */
  async function othersAreServed() {
    const newcomer = connect(served.address, { ownSocket: true })
    try {
      expect(served.isGone()).toBe(false)
      expect(await Promise.all([bystander, newcomer].map(mintOn))).toEqual(['Bearer', 'Bearer'])
      const health = await newcomer.call(Health.method.check, {}, { deadlineMs: WITHIN_MS })
      expect(health.status).toBe(Serving.SERVING)
    } finally {
      newcomer.close()
    }
  }
  const closes = async ({ isClosed }: RawConnection) => {
    for (const until = Date.now() + WITHIN_MS; !isClosed() && Date.now() < until; ) await sleep(10)
    expect(isClosed()).toBe(true)
  }

  beforeAll(async () => {
    served = await serve()
    bystander = connect(served.address, { ownSocket: true })
    await mintOn(bystander)
    atFirst = await served.heap()
  })
  afterEach(async () => {
    await othersAreServed()
    for (const { socket } of open.splice(0)) socket.destroy()
  })
  afterAll(async () => {
    bystander.close()
    await served.stop()
  })

  describe('closes connections that do not speak HTTP/2', () => {
    it.each<[string, Buffer]>([
      ['random bytes', randomBytes(100_000)],
      ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')],
      ['a TLS handshake', Buffer.from('1603010200010001fc0303', 'hex')],
      ['a preface with one letter wrong', Buffer.from('PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n')],
      ['no settings after the preface', Buffer.concat([PREFACE, frame(TYPE.PING, 0, 0, Buffer.alloc(8))])],
    ])('%s', async (_what, bytes) => {
      const attacker = await raw()
      await attacker.send(bytes, Buffer.alloc(20_000))
      await closes(attacker)
    })
  })

  describe('closes connections for invalid frames', () => {
    const huge = frame(TYPE.DATA, 0, 1, Buffer.alloc(16_385))
    it.each<[string, Buffer]>([
      ['an oversized frame', Buffer.concat([frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders()), huge])],
      ['data on a stream that is not open', frame(TYPE.DATA, 0, 7, Buffer.alloc(10))],
      ['a malformed header block', frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, Buffer.alloc(50, 0xff))],
      ['a settings frame of seven bytes', frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(7))],
      ['a ping of seven bytes', frame(TYPE.PING, 0, 0, Buffer.alloc(7))],
      ['a window update of 0', frame(TYPE.WINDOW, 0, 0, Buffer.alloc(4))],
      ['a continuation without headers', frame(TYPE.CONTINUATION, 0, 1, Buffer.alloc(10))],
      ['a client’s stream with an even number', frame(TYPE.HEADERS, FLAG.END_HEADERS, 2, callHeaders())],
    ])('%s', async (_what, bytes) => {
      const attacker = await raw()
      await attacker.send(HELLO, bytes)
      await closes(attacker)
    })
  })

  describe('serves others during floods', () => {
    it('of endless headers', async () => {
      const attacker = await raw()
      const some = headerBlock(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`x-${i}`, 'y'.repeat(30)])))
      await attacker.send(HELLO, frame(TYPE.HEADERS, 0, 1, callHeaders()))
      for (let i = 0; i < FLOOD / 100 && !attacker.isClosed(); i += 1) {
        await attacker.send(frame(TYPE.CONTINUATION, 0, 1, some))
      }
      await closes(attacker)
    })

    it('of empty continuations', async () => {
      const attacker = await raw()
      await attacker.send(HELLO, frame(TYPE.HEADERS, 0, 1, callHeaders()))
      const many = Buffer.concat(Array.from({ length: 1_000 }, () => frame(TYPE.CONTINUATION, 0, 1)))
      for (let i = 0; i < FLOOD / 100 && !attacker.isClosed(); i += 1) await attacker.send(many)
      await closes(attacker)
    })

    it('of calls that are reset at once', async () => {
      const attacker = await raw()
      await attacker.send(HELLO)
      const cancel = Buffer.of(0, 0, 0, 8)
      for (let stream = 1; stream < FLOOD && !attacker.isClosed(); stream += 200) {
        const resets = Array.from({ length: 100 }, (_, i) => [
          frame(TYPE.HEADERS, FLAG.END_HEADERS, stream + i * 2, callHeaders()),
          frame(TYPE.RST, 0, stream + i * 2, cancel),
        ])
        await attacker.send(Buffer.concat(resets.flat()))
      }
      await othersAreServed()
    })

    it.each<[string, Buffer]>([
      ['settings', frame(TYPE.SETTINGS, 0, 0)],
      [
        'settings of many values',
        frame(TYPE.SETTINGS, 0, 0, Buffer.concat(Array.from({ length: 32 }, () => Buffer.of(0, 4, 0, 0, 255, 255)))),
      ],
      ['pings', frame(TYPE.PING, 0, 0, Buffer.alloc(8))],
    ])('of %s, whose answers are not read', async (_what, one) => {
      const attacker = await raw()
      attacker.socket.pause()
      const many = Buffer.concat(Array.from({ length: 500 }, () => one))
      const flood = (async () => {
        await attacker.send(HELLO)
        for (let i = 0; i < FLOOD / 500 && !attacker.isClosed(); i += 1) await attacker.send(many)
      })()
      await Promise.race([flood, sleep(1_000)])
      await othersAreServed()
      attacker.socket.destroy()
      await flood
    })

    it(`of ${CONNECTIONS} connections that send nothing, or only the beginning of a call`, async () => {
      const beginnings = [
        Buffer.alloc(0),
        PREFACE.subarray(0, 10),
        HELLO,
        Buffer.concat([HELLO, frame(TYPE.HEADERS, 0, 1, callHeaders())]),
        Buffer.concat([HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders())]),
      ]
      for (let i = 0; i < CONNECTIONS; i += 1) await (await raw()).send(beginnings[i % beginnings.length] ?? PREFACE)
      await othersAreServed()
    })

    it('of calls that send only the beginning of a message', async () => {
      const attacker = await raw()
      await attacker.send(HELLO)
      for (let i = 0; i < 900; i += 1) {
        const begun = grpcMessage(Buffer.alloc(10), 0, 1_000_000)
        const stream = i * 2 + 1
        await attacker.send(
          frame(TYPE.HEADERS, FLAG.END_HEADERS, stream, callHeaders()),
          frame(TYPE.DATA, 0, stream, begun),
        )
      }
      await othersAreServed()
    })
  })

  describe('answers invalid gRPC calls', () => {
    const message = Buffer.of(0x0a, 0x00)
    it.each<[string, Buffer, Record<string, string>]>([
      ['another content type', grpcMessage(message), { 'content-type': 'application/json' }],
      ['no content type', grpcMessage(message), { 'content-type': '' }],
      ['another HTTP method', grpcMessage(message), { ':method': 'GET' }],
      ['an invalid path', grpcMessage(message), { ':path': '*' }],
      ['a path with odd bytes', grpcMessage(message), { ':path': '/%00/../\u00e4' }],
      ['an unknown method', grpcMessage(message), { ':path': '/qscope.v1.TokenService/constructor' }],
      ['a length beyond the message', grpcMessage(message, 0, 100), {}],
      ['a length beyond all limits', grpcMessage(message, 0, 0xffffffff), {}],
      ['a length short of the message', grpcMessage(message, 0, 1), {}],
      ['half a prefix', Buffer.of(0, 0, 0), {}],
      ['no message', Buffer.alloc(0), {}],
      ['two messages', Buffer.concat([grpcMessage(message), grpcMessage(message)]), {}],
      ['a compressed message without an encoding', grpcMessage(message, 1), {}],
      ['an uncompressed message with the flag of compression', grpcMessage(message, 1), { 'grpc-encoding': 'gzip' }],
      ['an unknown encoding', grpcMessage(message, 1), { 'grpc-encoding': 'br' }],
      ['an unknown flag', grpcMessage(message, 255), {}],
      ['a malformed timeout', grpcMessage(message), { 'grpc-timeout': 'soon' }],
      ['the longest timeout', grpcMessage(message), { 'grpc-timeout': '99999999H' }],
      ['malformed binary metadata', grpcMessage(message), { 'x-bin': '*** not base64 ***' }],
      ['a header with line ends', grpcMessage(message), { 'x-ray-id': 'a\r\nb: c' }],
    ])('%s', async (_what, body, headers) => {
      const attacker = await raw()
      await attacker.send(HELLO, wholeCall(1, body, headers))
      for (const until = Date.now() + WITHIN_MS; !attacker.isAnswered(1) && Date.now() < until; ) await sleep(5)
      expect(attacker.isAnswered(1)).toBe(true)
      await othersAreServed()
    })

    it('a small message that decompresses to a large one', async () => {
      const { gzipSync } = await import('node:zlib')
      const bomb = grpcMessage(gzipSync(Buffer.alloc(256 * 1024 * 1024)), 1)
      const attacker = await raw()
      await attacker.send(HELLO, frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, callHeaders({ 'grpc-encoding': 'gzip' })))
      for (let at = 0; at < bomb.length; at += 16_000) {
        const isLast = at + 16_000 >= bomb.length
        await attacker.send(frame(TYPE.DATA, isLast ? FLAG.END_STREAM : 0, 1, bomb.subarray(at, at + 16_000)))
      }
      await othersAreServed()
    })
  })

  it('releases the memory of all attacks, and logs no error', async () => {
    await sleep(500)
    expect((await served.heap()) - atFirst).toBeLessThan(MAX_GROWTH)
    expect(served.log()).not.toMatch(/"level":"(error|fatal)"/)
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS, patienceOf } from '../../../src/transports/http2/options.ts'
import { EchoApplication } from './echo.ts'
import { connectionOn, MemorySocket } from './in-memory.ts'
import { type Echo, startEcho } from './peer.ts'
import {
  CODE,
  data,
  FLAG,
  frame,
  framesIn,
  headers,
  literals,
  PREFACE,
  request,
  SETTING,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './wire.ts'

let echo: Echo
afterEach(() => echo?.stop())

const goAways = (peer: { readonly frames: readonly { type: number; payload: Buffer }[] }) =>
  peer.frames.filter(({ type }) => type === TYPE.GOAWAY).map(({ payload }) => payload.readUInt32BE())
const PING_ACK = (payload: Buffer) => frame(TYPE.PING, FLAG.ACK, 0, payload)
const LAST = 2 ** 31 - 1

describe('a graceful shutdown (RFC 9113 §6.8)', () => {
  it('answers requests in transit, and closes the connection after the last stream', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/held')))
    await peer.until(() => echo.application.calls.length === 1)
    const closed = echo.server.close('restart')
    const { payload } = await peer.until(({ type }) => type === TYPE.PING)
    expect(goAways(peer)).toEqual([LAST])
    // A request that the peer sent before it received the GOAWAY.
    peer.send(headers(3, request('/on-its-way'), true))
    expect(await peer.answer(3)).toBe('3 /on-its-way ')
    peer.send(PING_ACK(payload))
    await peer.until(() => goAways(peer).length === 2)
    expect(goAways(peer)).toEqual([LAST, 3])
    expect(await peer.goAway()).toMatchObject({ code: CODE.NO_ERROR, debug: 'restart' })
    // Too late: the second GOAWAY has told the peer that stream 5 is not processed.
    peer.send(headers(5, request('/too-late'), true), data(1, 'the rest', true))
    expect(await peer.answer(1)).toBe('1 /held the rest')
    await peer.untilClosed()
    await closed
    expect(echo.application.calls.map(({ headers: { path } }) => path)).toEqual(['/held', '/on-its-way'])
    expect(echo.application.connections.size).toBe(0)
  })

  it('closes a connection without streams after one round trip', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    const [connection] = echo.server.connections
    connection?.goAway('max_age')
    connection?.goAway('again')
    expect(connection?.draining).toBe(true)
    const { payload } = await peer.until(({ type }) => type === TYPE.PING)
    await sleep(50)
    expect([goAways(peer), peer.closed]).toEqual([[LAST], false])
    peer.send(PING_ACK(payload))
    await peer.untilClosed()
    expect(goAways(peer)).toEqual([LAST, 0])
  })

  it('closes a connection to a peer that does not answer PING', async () => {
    echo = await startEcho({ keepaliveTimeoutMs: 50 })
    const peer = await echo.greet()
    await echo.server.close()
    await peer.untilClosed()
    expect(goAways(peer)).toEqual([LAST, 0])
  })

  describe('of a server that closes', () => {
    /** `closingMs` is ten times the step of the slow peer, and far less than the other limits. */
    const limits = { closingMs: 500, stallMs: 60_000, keepaliveTimeoutMs: 60_000, handshakeMs: 60_000 }
    const NOTHING = [SETTING.INITIAL_WINDOW_SIZE, 0] as const
    const greetAndAsk = async (...path: readonly string[]) => {
      const peer = await echo.greet(NOTHING)
      for (const [at, each] of path.entries()) peer.send(headers(2 * at + 1, request(each), true))
      await peer.until(({ type, stream }) => type === TYPE.HEADERS && stream === 2 * path.length - 1)
      return peer
    }
    const answersPings = (peer: Awaited<ReturnType<typeof greetAndAsk>>) => {
      void peer.until(({ type }) => type === TYPE.PING).then(({ payload }) => peer.send(PING_ACK(payload)))
    }

    it('does not wait for a peer that reads none of its answers, but waits for one that reads slowly', async () => {
      echo = await startEcho(limits)
      const dead = await greetAndAsk('/send/100')
      const slow = await greetAndAsk('/send/40')
      const frozen = await echo.greet()
      const mute = await echo.dial()
      for (const peer of [dead, slow]) answersPings(peer)
      const closed = echo.server.close()
      const startedAt = performance.now()
      for (let at = 0; at < 40; at += 1) {
        await sleep(50)
        slow.send(windowUpdate(1, 1))
      }
      // The whole answer, in far more time than the other peers had.
      expect(await slow.answer(1)).toHaveLength(40)
      expect(performance.now() - startedAt).toBeGreaterThan(3 * limits.closingMs)
      expect(await dead.goAway()).toMatchObject({ code: CODE.NO_ERROR })
      await Promise.all([dead, frozen, mute, slow].map((peer) => peer.untilClosed()))
      expect(goAways(frozen)).toEqual([LAST, 0])
      await closed
      expect(echo.application.calls.map(({ events }) => events.at(-1))).toContain('aborted 11')
    })

    it('keeps connections to such peers until the server closes', async () => {
      echo = await startEcho(limits)
      const dead = await greetAndAsk('/send/100')
      await sleep(3 * limits.closingMs)
      expect(dead.closed).toBe(false)
      await echo.server.close()
      await dead.untilClosed()
    })
  })

  describe('of a connection whose peer reads the last answer slowly', () => {
    const limits = { ...DEFAULT_LIMITS, stallMs: 120_000 }
    const patience = patienceOf(limits)
    const turn = () => new Promise((resolve) => setImmediate(resolve))

    async function endSlowly() {
      const socket = new MemorySocket()
      const connection = connectionOn(socket, new EchoApplication(), limits)
      socket.push(Buffer.concat([PREFACE, settings(), frame(TYPE.SETTINGS, FLAG.ACK, 0)]))
      for (let at = 0; at < 5; at += 1) await turn()
      socket.isSlow = true
      socket.push(Buffer.concat([headers(1, request('/send/5000'), true), frame(TYPE.GOAWAY, 0, 0, uint32(0, 0))]))
      for (let at = 0; at < 5; at += 1) await turn()
      expect(connection.streamCount).toBe(0)
      connection.check(0, patience)
      return { socket, connection }
    }

    it('sends all of it', async () => {
      const { socket, connection } = await endSlowly()
      connection.check(60_000, patience)
      expect(socket.destroyed).toBe(false)
      socket.isSlow = false
      socket.taken?.()
      await turn()
      connection.check(61_000, patience)
      connection.check(61_900, patience)
      const written = framesIn(Buffer.concat(socket.written)).frames
      expect(written.filter(({ type, stream }) => type === TYPE.DATA && stream === 1)).not.toEqual([])
      connection.check(62_100, patience)
      expect(socket.destroyed).toBe(true)
    })

    it('is closed after the usual stall limit', async () => {
      const { socket, connection } = await endSlowly()
      connection.check(119_000, patience)
      expect(socket.destroyed).toBe(false)
      connection.check(121_000, patience)
      expect(socket.destroyed).toBe(true)
    })
  })

  it('follows a GOAWAY of the peer', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/held')), frame(TYPE.GOAWAY, 0, 0, uint32(0, 0)), data(1, 'x', true))
    expect(await peer.answer(1)).toBe('1 /held x')
    await peer.untilClosed()
  })
})

describe('an immediate close', () => {
  it('aborts every handler, and tells the peer the reason', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/never')), headers(3, request('/send/1000000'), true))
    await peer.until(({ type }) => type === TYPE.DATA)
    const [connection] = echo.server.connections
    connection?.close(CODE.ENHANCE_YOUR_CALM, 'too much')
    expect(await peer.goAway()).toEqual({ last: 3, code: CODE.ENHANCE_YOUR_CALM, debug: 'too much' })
    await peer.untilClosed()
    expect(echo.application.calls.map(({ events }) => events.at(-1))).toEqual(['aborted 11', 'aborted 11'])
  })

  it.each([
    ['the peer closes', (socket: { end(): void }) => socket.end()],
    ['the peer resets the connection', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ])('aborts every handler when %s', async (_what, leave) => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/never')), headers(3, request('/never'), true))
    await peer.until(() => echo.application.calls.length === 2)
    leave(peer.socket)
    while (echo.application.connections.size > 0) await sleep(2)
    expect(echo.application.calls.map(({ events }) => events.slice(1))).toEqual([['aborted 8'], ['aborted 8']])
    expect([...echo.server.connections]).toEqual([])
  })

  it('drops later output of a handler', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/never'), true))
    await peer.until(() => echo.application.calls.length === 1)
    peer.destroy()
    const { stream, events } = echo.application.call('/never')
    while (!events.includes('aborted 8')) await sleep(2)
    expect(stream.writable).toBe(false)
    stream.sendHeaders(Buffer.alloc(3), false)
    expect(stream.sendData([Buffer.alloc(3)], false)).toBe(true)
    stream.sendTrailers(Buffer.alloc(3))
    stream.respond(Buffer.alloc(3), [Buffer.alloc(3)], null)
    stream.reset(CODE.CANCEL)
    stream.consumed(3)
    stream.released()
    expect(stream.connection.streamCount).toBe(0)
  })
})

describe('deadlines', () => {
  const brief = { handshakeMs: 60, frameMs: 60 }

  it.each([
    ['says nothing', []],
    ['stops within the preface', [PREFACE.subarray(0, 10)]],
    ['stops after it', [PREFACE]],
    ['stops within its SETTINGS', [PREFACE, settings([1, 2]).subarray(0, 11)]],
  ])('end a connection that %s', async (_what, bytes) => {
    echo = await startEcho(brief)
    const peer = await echo.dial()
    peer.send(...bytes)
    await peer.untilClosed(5_000)
    expect(echo.application.connections.size).toBe(0)
  })

  it.each([
    ['a header block', [frame(TYPE.HEADERS, 0, 1, literals(request('/')))]],
    ['a frame of headers', [headers(1, request('/')).subarray(0, -1)]],
    ['the header of a frame', [frame(TYPE.PING, 0, 0, Buffer.alloc(8)).subarray(0, 5)]],
  ])('end a connection that stops within %s', async (_what, bytes) => {
    echo = await startEcho(brief)
    const peer = await echo.greet()
    peer.send(...bytes)
    expect(await peer.goAway()).toMatchObject({ code: CODE.ENHANCE_YOUR_CALM, debug: 'a frame does not end' })
    await peer.untilClosed()
  })

  it('end a connection whose header block arrives byte by byte', async () => {
    echo = await startEcho(brief)
    const peer = await echo.greet()
    const bytes = headers(1, request('/', [['a', 'b'.repeat(300)]]))
    for (const byte of bytes) {
      if (peer.closed) break
      peer.send(Buffer.of(byte))
      await sleep(5)
    }
    expect(peer.closed).toBe(true)
  })

  it('keep a connection that is always within a frame, if each frame completes', async () => {
    echo = await startEcho(brief)
    const peer = await echo.greet()
    let rest: Buffer = Buffer.alloc(0)
    for (let at = 0; at < 40; at += 1) {
      const bytes = Buffer.concat([rest, headers(2 * at + 1, request('/x'), true)])
      peer.send(bytes.subarray(0, -3))
      rest = bytes.subarray(-3)
      await sleep(10)
    }
    peer.send(rest)
    expect(await peer.answer(79)).toBe('79 /x ')
    peer.destroy()
  })

  it('keep a connection that is always within a header block, if each block completes', async () => {
    echo = await startEcho(brief)
    const peer = await echo.greet()
    for (let at = 0; at < 20; at += 1) {
      const block = literals(request('/x'))
      peer.send(frame(TYPE.HEADERS, FLAG.END_STREAM, 2 * at + 1, block.subarray(0, 9)))
      await sleep(20)
      const rest = frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 2 * at + 1, block.subarray(9))
      peer.send(rest)
    }
    expect(await peer.answer(39)).toBe('39 /x ')
    peer.destroy()
  })

  it('keep a connection with slow content, which the application limits', async () => {
    echo = await startEcho(brief)
    const peer = await echo.greet()
    peer.send(headers(1, request('/slow')), data(1, 'abc', true).subarray(0, -1))
    await sleep(400)
    peer.send(Buffer.from('c'))
    expect(await peer.answer(1)).toBe('1 /slow abc')
    peer.destroy()
  })

  it('end a connection without requests, gracefully', async () => {
    echo = await startEcho({ idleMs: 100 })
    const peer = await echo.greet()
    peer.send(headers(1, request('/never')))
    await sleep(400)
    expect(goAways(peer)).toEqual([])
    peer.send(data(1, 'x', true))
    echo.application.call('/never').answer()
    expect(await peer.goAway()).toMatchObject({ code: CODE.NO_ERROR, debug: 'max_idle' })
    peer.destroy()
  })

  it('end a connection whose peer does not read its answers', async () => {
    echo = await startEcho({ stallMs: 100 })
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    peer.send(headers(1, request('/send/100'), true))
    expect(await peer.goAway()).toMatchObject({ code: CODE.ENHANCE_YOUR_CALM, debug: 'answers are not read' })
    await peer.untilClosed()
    expect(echo.application.calls.at(-1)?.events.at(-1)).toBe('aborted 11')
  })

  it('keep a connection whose peer reads its answers slowly', async () => {
    echo = await startEcho({ stallMs: 150 })
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    peer.send(headers(1, request('/send/20'), true))
    for (let at = 0; at < 20; at += 1) {
      await sleep(30)
      peer.send(windowUpdate(1, 1))
    }
    expect(await peer.answer(1)).toHaveLength(20)
    peer.destroy()
  })
})

describe('keepalive', () => {
  const often = { keepaliveTimeMs: 60, keepaliveTimeoutMs: 60 }

  it('pings a silent peer, and keeps the connection while it answers', async () => {
    echo = await startEcho(often)
    const peer = await echo.greet()
    for (let at = 0; at < 4; at += 1) {
      const { payload } = await peer.until(({ type }) => type === TYPE.PING)
      peer.frames.length = 0
      peer.send(PING_ACK(payload))
    }
    expect(peer.closed).toBe(false)
    peer.destroy()
  })

  it('closes the connection if the peer does not answer', async () => {
    echo = await startEcho(often)
    const peer = await echo.greet()
    peer.send(headers(1, request('/never'), true))
    await peer.until(({ type }) => type === TYPE.PING)
    await peer.untilClosed(5_000)
    expect(echo.application.call('/never').events.at(-1)).toBe('aborted 8')
  })

  it('reads received frames before it closes, after the process was blocked', async () => {
    echo = await startEcho(often)
    const peer = await echo.greet()
    const { payload } = await peer.until(({ type }) => type === TYPE.PING)
    peer.send(PING_ACK(payload))
    for (const end = performance.now() + 400; performance.now() < end; );
    await sleep(30)
    peer.send(headers(1, request('/alive'), true))
    expect(await peer.answer(1)).toBe('1 /alive ')
    peer.destroy()
  })
})

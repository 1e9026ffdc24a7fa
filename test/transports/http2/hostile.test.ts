import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeBlock } from '../../../src/transports/http2/hpack/encoder.ts'
import { HeaderField } from '../../../src/transports/http2/hpack/header-field.ts'
import { BARE_BYTES } from './echo.ts'
import { type Echo, type Peer, startEcho } from './peer.ts'
import {
  CODE,
  data,
  FLAG,
  type Frame,
  frame,
  headers,
  literals,
  request,
  rstStream,
  SETTING,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './wire.ts'

let echo: Echo
afterEach(() => echo.stop())

const ids = (count: number, from = 1) => Array.from({ length: count }, (_, at) => from + 2 * at)

/** A GOAWAY with an error code. */
const blames = ({ type, payload }: Frame) => type === TYPE.GOAWAY && payload.readUInt32BE(4) !== CODE.NO_ERROR

/** Repeats the frames until the server ends the connection. Returns how often they were sent, and the reason. */
async function flood(peer: Peer, round: (at: number) => Buffer, rounds = 100_000) {
  let sent = 0
  while (sent < rounds && !peer.closed && !peer.frames.some(blames)) {
    peer.send(...Array.from({ length: 100 }, (_, at) => round(sent + at)))
    sent += 100
    await sleep(0)
    while (peer.socket.writableLength > 100_000 && !peer.closed) await sleep(1)
  }
  const { payload } = await peer.until(blames)
  await peer.untilClosed()
  return { sent, code: payload.readUInt32BE(4), debug: payload.toString('utf8', 8) }
}

/** Sends frames often, but usefully, so that they are no flood. */
async function honest(peer: Peer, round: (at: number) => Buffer, rounds: number): Promise<void> {
  for (let at = 0; at < rounds; at += 1) {
    peer.send(round(at))
    if (at % 50 === 0) await sleep(0)
  }
}

describe('streams that are opened and cancelled', () => {
  it('end the connection: rapid reset (CVE-2023-44487)', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    const round = (at: number) =>
      Buffer.concat([headers(2 * at + 1, request('/never'), true), rstStream(2 * at + 1, CODE.CANCEL)])
    const { code } = await flood(peer, round)
    expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
    expect(echo.application.calls.length).toBeLessThan(1_500)
  })

  it('count until their handlers end, even after they are reset', async () => {
    echo = await startEcho({ maxConcurrentStreams: 20 })
    const peer = await echo.greet()
    for (const id of ids(20)) peer.send(headers(id, request('/never'), true))
    await peer.until(() => echo.application.calls.length === 20)
    // From now on the handlers do not end when their streams are aborted.
    const calls = [...echo.application.calls]
    for (const call of calls) call.aborted = () => undefined
    for (const id of ids(20)) peer.send(rstStream(id, CODE.CANCEL))
    for (const id of ids(50, 41)) {
      peer.send(headers(id, request('/more'), true))
      expect(await peer.resetOf(id)).toBe(CODE.REFUSED_STREAM)
    }
    expect(echo.application.calls).toHaveLength(20)
    for (const call of calls) call.release()
    peer.send(headers(201, request('/free'), true))
    expect(await peer.answer(201)).toBe('201 /free ')
    peer.destroy()
  })

  it('end the connection if they provoke resets by the server: MadeYouReset (CVE-2025-8671)', async () => {
    const causes: readonly ((id: number) => Buffer)[] = [
      (id) => windowUpdate(id, 0),
      (id) => windowUpdate(id, 2 ** 31 - 1),
      (id) => frame(TYPE.PRIORITY, 0, id, Buffer.alloc(3)),
      (id) => Buffer.concat([data(id, '', true), data(id, 'x')]),
      (id) => headers(id, [['no', 'end']]),
    ]
    for (const cause of causes) {
      echo = await startEcho()
      const peer = await echo.greet()
      const { code } = await flood(peer, (at) =>
        Buffer.concat([headers(2 * at + 1, request('/never')), cause(2 * at + 1)]),
      )
      expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
      expect(echo.application.calls.length).toBeLessThan(1_500)
      await echo.stop()
    }
  })

  it('end the connection of a peer that keeps opening refused streams', async () => {
    echo = await startEcho({ maxConcurrentStreams: 5 })
    const peer = await echo.greet()
    const { code } = await flood(peer, (at) => headers(2 * at + 1, request('/never'), true))
    expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
    expect(echo.application.calls).toHaveLength(5)
  })

  it('are tolerated if every second request is answered', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    await honest(
      peer,
      (at) => {
        const [first, second] = [4 * at + 1, 4 * at + 3]
        return Buffer.concat([
          headers(first, request('/x'), true),
          headers(second, request('/never'), true),
          rstStream(second, CODE.CANCEL),
        ])
      },
      3_000,
    )
    expect(await peer.answer(4 * 2_999 + 1)).toContain('/x')
    peer.destroy()
  })
})

describe('header blocks', () => {
  it('that never end close the connection: CONTINUATION flood (CVE-2024-27316)', async () => {
    echo = await startEcho()
    for (const [payload, most] of [
      [Buffer.alloc(0), 200],
      [Buffer.alloc(1), 200],
      [Buffer.alloc(16_384), 200],
    ] as const) {
      const peer = await echo.greet()
      peer.send(frame(TYPE.HEADERS, 0, 1, literals(request('/'))))
      const { code, sent } = await flood(peer, () => frame(TYPE.CONTINUATION, 0, 1, payload))
      expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
      expect(sent).toBeLessThanOrEqual(most)
    }
  })

  it('that expand to long header lists are refused with 431 without calling the application: HPACK bomb', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    // A field of 4,000 bytes in the table, then one byte for each repetition.
    const first = Buffer.concat([Buffer.of(0x40, 1, 0x61, 0x7f, 0xa1, 0x1e), Buffer.alloc(4_000, 'v')])
    peer.send(
      frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, Buffer.concat([literals(request('/')), first])),
    )
    await peer.answer(1)
    for (const id of ids(50, 3)) {
      const bomb = Buffer.concat([literals(request('/')), Buffer.alloc(16_000, 0xbe)])
      peer.send(frame(TYPE.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, id, bomb))
      expect(await peer.answer(id)).toBe('The header list is too long.\n')
    }
    expect(echo.application.calls).toHaveLength(1)
    peer.destroy()
  })

  it('may have exactly the permitted length, and not a byte more', async () => {
    echo = await startEcho({ maxHeaderListBytes: 1_000 })
    const peer = await echo.greet()
    const base = request('/').reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
    const field = (bytes: number) => [['a', 'v'.repeat(bytes - base - 33)] as const]
    peer.send(headers(1, request('/', field(1_000)), true), headers(3, request('/', field(1_001)), true))
    expect(await peer.answer(1)).toBe('1 / ')
    expect(await peer.answer(3)).toBe('The header list is too long.\n')
    peer.destroy()
  })
})

describe('requests that are never answered', () => {
  it('have a limit for the bytes of their headers, beyond which new ones are refused', async () => {
    echo = await startEcho({ maxHeaderBytes: 100_000 })
    const peer = await echo.greet()
    const long = [['long', 'x'.repeat(10_000)]] as const
    for (const id of ids(12)) peer.send(headers(id, request('/never', long), true))
    expect(await peer.resetOf(23)).toBe(CODE.REFUSED_STREAM)
    expect(echo.application.calls.length).toBeLessThan(12)
    peer.send(...ids(3).map((id) => rstStream(id, CODE.CANCEL)), headers(25, request('/x', long), true))
    expect(await peer.answer(25)).toBe('25 /x ')
    peer.destroy()
  })
})

describe('floods of cheap frames', () => {
  it.each([
    ['SETTINGS (CVE-2019-9515)', () => settings()],
    ['SETTINGS that change every window', (at: number) => settings([SETTING.INITIAL_WINDOW_SIZE, at])],
    ['acknowledgements of SETTINGS', () => frame(TYPE.SETTINGS, FLAG.ACK, 0)],
    ['PING (CVE-2019-9512)', () => frame(TYPE.PING, 0, 0, Buffer.alloc(8))],
    ['acknowledgements of PING', () => frame(TYPE.PING, FLAG.ACK, 0, Buffer.alloc(8))],
    ['PRIORITY (CVE-2019-9513)', (at: number) => frame(TYPE.PRIORITY, 0, 2 * at + 1, Buffer.alloc(5))],
    ['WINDOW_UPDATE', () => windowUpdate(0, 1)],
    ['DATA without content (CVE-2019-9518)', () => data(1, '')],
    ['DATA that is padding', () => frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.of(3, 0, 0, 0))],
    ['frames of unknown types', () => frame(0x99, 0, 0)],
    ['GOAWAY', () => frame(TYPE.GOAWAY, 0, 0, uint32(0, 0))],
  ] as const)('end the connection: %s', async (_what, round) => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.send(headers(1, request('/never')))
    const { code } = await flood(peer, round)
    expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
  })

  it('end with too_many_pings, as gRPC clients expect, for PING', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    const { debug } = await flood(peer, () => frame(TYPE.PING, 0, 0, Buffer.alloc(8)))
    expect(debug).toBe('too_many_pings')
  })

  it('are not assumed for pings between answers and window updates for content', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    for (const [at, id] of ids(300).entries()) {
      peer.send(headers(id, request('/x'), true))
      await peer.answer(id)
      if (at % 3 === 0) peer.send(frame(TYPE.PING, 0, 0, Buffer.alloc(8)))
    }
    peer.send(headers(1001, request('/send/8000000'), true))
    for (let [seen, bytes] = [peer.frames.length, 0]; bytes < 8_000_000 && !peer.closed; ) {
      await sleep(0)
      for (const { type, payload } of peer.frames.slice(seen)) {
        if (type !== TYPE.DATA) continue
        bytes += payload.length
        peer.send(windowUpdate(0, payload.length), windowUpdate(1001, payload.length))
      }
      seen = peer.frames.length
    }
    expect(await peer.answer(1001)).toHaveLength(8_000_000)
    peer.destroy()
  })

  it('end the connection of a peer that reads an answer byte by byte (CVE-2019-9511)', async () => {
    echo = await startEcho()
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    peer.send(headers(1, request('/send/1000000'), true))
    const { code } = await flood(peer, () => windowUpdate(1, 1))
    expect(code).toBe(CODE.ENHANCE_YOUR_CALM)
  })
})

describe('a peer that sends requests and does not read', () => {
  it('is not read while its answers wait', async () => {
    echo = await startEcho()
    const peer = await echo.greet()
    peer.socket.pause()
    const LONG = [['long', 'x'.repeat(1_000)]] as const
    // 32 MB of answers that consist of headers, which flow control does not limit.
    for (const [at, id] of ids(8_000).entries()) {
      peer.send(headers(id, request('/bare', LONG), true))
      if (at % 20 === 0) await sleep(0)
    }
    await sleep(100)
    expect(peer.socket.writableLength).toBeGreaterThan(100_000)
    const { length } = echo.application.calls
    // The buffers of the kernel and the limits of this layer.
    expect(length * BARE_BYTES).toBeLessThan(20_000_000)
    await sleep(200)
    expect(echo.application.calls).toHaveLength(length)
    peer.socket.resume()
    expect(await peer.answer(15_999)).toBe('')
    expect(echo.application.calls).toHaveLength(8_000)
    peer.destroy()
  })

  it('gets its answers when it reads', async () => {
    echo = await startEcho()
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    const post = (id: number) => Buffer.concat([headers(id, request('/x')), data(id, 'c'.repeat(2_000), true)])
    for (const id of ids(1_000)) peer.send(post(id))
    await peer.until(() => echo.application.calls.filter(({ isReleased }) => isReleased).length === 1_000)
    peer.send(windowUpdate(0, 10_000_000), settings([SETTING.INITIAL_WINDOW_SIZE, 65_535]))
    for (const id of ids(1_000)) expect(await peer.answer(id)).toBe(`${id} /x ${'c'.repeat(2_000)}`)
    peer.destroy()
  })

  it('has new requests refused while the content of other answers waits', async () => {
    echo = await startEcho({ maxPendingBytes: 100_000 })
    const peer = await echo.greet([SETTING.INITIAL_WINDOW_SIZE, 0])
    const upload = Buffer.concat([data(1, 'u'.repeat(16_000)), data(1, 'u'.repeat(14_000), true)])
    const post = (id: number) => {
      const bytes = Buffer.from(upload)
      bytes.writeUInt32BE(id, 5)
      bytes.writeUInt32BE(id, 16_009 + 5)
      return Buffer.concat([headers(id, request('/x')), bytes])
    }
    for (const id of ids(4)) peer.send(post(id))
    await peer.until(() => echo.application.calls.filter(({ isReleased }) => isReleased).length === 4)
    peer.send(headers(9, request('/x'), true))
    expect(await peer.resetOf(9)).toBe(CODE.REFUSED_STREAM)
    peer.send(settings([SETTING.INITIAL_WINDOW_SIZE, 65_535]))
    await peer.answer(1)
    peer.send(windowUpdate(0, 1_000_000))
    for (const id of ids(4)) expect(await peer.answer(id)).toHaveLength(30_000 + '1 /x '.length)
    peer.send(headers(11, request('/x'), true))
    expect(await peer.answer(11)).toBe('11 /x ')
    peer.destroy()
  })
})

describe('sensitive fields', () => {
  it('are sent as never indexed', () => {
    const block = encodeBlock([
      new HeaderField('authorization', 'Bearer x', true),
      new HeaderField('x-token', 'y', true),
    ])
    // RFC 7541 §6.2.3: never indexed, with the name of index 23 and with a literal name.
    expect(block[0]).toBe(0x1f)
    expect(Buffer.from(block).subarray(-12)[0] === 0x10 || Buffer.from(block).includes(0x10)).toBe(true)
  })
})

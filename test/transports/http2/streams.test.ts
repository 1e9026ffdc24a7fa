import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Echo, type Peer, startEcho } from './peer.ts'
import {
  CODE,
  data,
  type Fields,
  FLAG,
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
beforeAll(async () => {
  echo = await startEcho({ maxConcurrentStreams: 10 })
})
afterAll(() => echo.stop())

const TRAILERS: Fields = [['checksum', 'abc']]

async function withPeer<Result>(run: (peer: Peer) => Promise<Result>): Promise<Result> {
  const peer = await echo.greet()
  try {
    return await run(peer)
  } finally {
    peer.destroy()
  }
}

/** The code with which the connection ends after these frames. */
const connectionEnds = (...bytes: readonly Buffer[]) =>
  withPeer(async (peer) => {
    peer.send(...bytes)
    const { code } = await peer.goAway()
    await peer.untilClosed()
    return code
  })

/** The code with which the stream ends after these frames, and not the connection. */
const streamEnds = (stream: number, ...bytes: readonly Buffer[]) =>
  withPeer(async (peer) => {
    peer.send(...bytes)
    const code = await peer.resetOf(stream)
    await lives(peer)
    return code
  })

async function lives(peer: Peer): Promise<void> {
  peer.send(headers(1001, request('/alive'), true))
  expect(await peer.answer(1001)).toBe('1001 /alive ')
}

describe('a request', () => {
  it('is answered with headers, content and trailers', () =>
    withPeer(async (peer) => {
      peer.send(headers(1, request('/a')), data(1, 'hello '), data(1, 'world', true))
      expect(await peer.answer(1)).toBe('1 /a hello world')
      const [first, last] = peer.frames.filter(({ type }) => type === TYPE.HEADERS)
      expect(peer.fieldsOf(first?.payload ?? Buffer.alloc(0))).toEqual({
        ':status': '200',
        'content-type': 'text/plain',
      })
      expect(peer.fieldsOf(last?.payload ?? Buffer.alloc(0))).toEqual({ 'answer-is': 'complete' })
    }))

  it('can end with trailers', () =>
    withPeer(async (peer) => {
      peer.send(headers(1, request('/with-trailers')), data(1, 'x'), headers(1, TRAILERS, true))
      expect(await peer.answer(1)).toBe('1 /with-trailers x')
      expect(echo.application.call('/with-trailers').trailersOf?.get('checksum')).toBe('abc')
    }))

  it('can be split into any number of frames, with padding and priority', () =>
    withPeer(async (peer) => {
      const block = literals(request('/in-pieces'))
      const priority = Buffer.concat([Buffer.of(3), uint32(0), Buffer.of(9)])
      const first = Buffer.concat([priority, block.subarray(0, 5), Buffer.alloc(3)])
      peer.send(
        frame(TYPE.HEADERS, FLAG.PADDED | FLAG.PRIORITY, 1, first),
        frame(TYPE.CONTINUATION, 0, 1, block.subarray(5, 6)),
        frame(TYPE.CONTINUATION, 0, 1),
        frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 1, block.subarray(6)),
        frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.from('\u0002ab\0\0')),
        frame(TYPE.DATA, FLAG.PADDED | FLAG.END_STREAM, 1, Buffer.of(0)),
      )
      expect(await peer.answer(1)).toBe('1 /in-pieces ab')
    }))

  it('that is answered before it ends is reset with NO_ERROR (§8.1)', () =>
    withPeer(async (peer) => {
      peer.send(headers(1, request('/now')))
      expect(await peer.answer(1)).toBe('1 /now ')
      expect(await peer.resetOf(1)).toBe(CODE.NO_ERROR)
      peer.send(data(1, 'more'), data(1, 'and the end', true))
      await lives(peer)
    }))

  it('that the peer cancels aborts its handler once', () =>
    withPeer(async (peer) => {
      peer.send(headers(1, request('/never')), rstStream(1, CODE.CANCEL), rstStream(1, CODE.CANCEL))
      await lives(peer)
      expect(echo.application.call('/never').events).toEqual(['request', 'aborted 8'])
    }))

  it('is refused beyond the limit of streams, and can be repeated', async () => {
    await withPeer(async (peer) => {
      for (let id = 1; id <= 21; id += 2) peer.send(headers(id, request('/never'), true))
      expect(await peer.resetOf(21)).toBe(CODE.REFUSED_STREAM)
      peer.send(rstStream(1, CODE.CANCEL), headers(23, request('/again'), true))
      expect(await peer.answer(23)).toBe('23 /again ')
    })
  })

  it('is reset if its content differs from content-length (§8.1.1)', async () => {
    const post = (length: string) => headers(1, request('/length', [['content-length', length]]))
    expect(await streamEnds(1, post('3'), data(1, 'ab', true))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, post('3'), data(1, 'ab'), data(1, 'cd'))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, post('3'), headers(1, TRAILERS, true))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, headers(1, request('/', [['content-length', '3']]), true))).toBe(CODE.PROTOCOL_ERROR)
    await withPeer(async (peer) => {
      peer.send(post('3'), data(1, 'ab'), data(1, 'c', true))
      expect(await peer.answer(1)).toBe('1 /length abc')
    })
  })

  it('that is malformed ends its stream and not the connection', async () => {
    expect(await streamEnds(1, headers(1, request('/', [['Upper', 'case']]), true))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, headers(1, [[':path', '/']], true))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, headers(1, request('/')), headers(1, request('/'), true))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, headers(1, request('/')), headers(1, TRAILERS))).toBe(CODE.PROTOCOL_ERROR)
  })

  it('with a header list that is too long is answered with 431, and the dynamic table stays consistent', () =>
    withPeer(async (peer) => {
      const long = Array.from({ length: 40 }, (_, at) => [`field-${at}`, 'x'.repeat(2_000)] as const)
      const block = literals(request('/long', long))
      peer.send(frame(TYPE.HEADERS, FLAG.END_STREAM, 1, block.subarray(0, 16_000)))
      for (let at = 16_000; at < block.length; at += 16_000) {
        const flags = at + 16_000 >= block.length ? FLAG.END_HEADERS : 0
        peer.send(frame(TYPE.CONTINUATION, flags, 1, block.subarray(at, at + 16_000)))
      }
      expect(await peer.answer(1)).toBe('The header list is too long.\n')
      const { payload } = await peer.until((each) => each.type === TYPE.HEADERS && each.stream === 1)
      expect(peer.fieldsOf(payload)).toMatchObject({ ':status': '431' })
      await lives(peer)
    }))

  it('CONNECT is answered with 501', () =>
    withPeer(async (peer) => {
      peer.send(
        headers(1, [
          [':method', 'CONNECT'],
          [':authority', 'localhost:1'],
        ]),
      )
      expect(await peer.answer(1)).toBe('CONNECT is not supported.\n')
      expect(await peer.resetOf(1)).toBe(CODE.NO_ERROR)
      await lives(peer)
    }))
})

describe('RFC 9113 §5.1: the states of a stream', () => {
  const ended = [headers(1, request('/never'), true)]

  it.each([
    ['DATA', data(1, 'x')],
    ['RST_STREAM', rstStream(1, CODE.CANCEL)],
    ['WINDOW_UPDATE', windowUpdate(1, 1)],
  ])('refuses %s on a stream that was not opened', async (_what, bytes) => {
    expect(await connectionEnds(bytes)).toBe(CODE.PROTOCOL_ERROR)
    // Only a server opens streams with even numbers, and this one opens none.
    bytes.writeUInt32BE(2, 5)
    expect(await connectionEnds(headers(3, request('/never')), bytes)).toBe(CODE.PROTOCOL_ERROR)
  })

  it('refuses stream numbers that are even, zero, or lower than an earlier one', async () => {
    expect(await connectionEnds(headers(2, request('/')))).toBe(CODE.PROTOCOL_ERROR)
    expect(await connectionEnds(headers(0, request('/')))).toBe(CODE.PROTOCOL_ERROR)
    expect(await connectionEnds(headers(5, request('/never')), headers(3, request('/')))).toBe(CODE.PROTOCOL_ERROR)
  })

  it('refuses content after the end of a request', async () => {
    expect(await streamEnds(1, ...ended, data(1, 'x'))).toBe(CODE.STREAM_CLOSED)
    expect(await streamEnds(1, ...ended, headers(1, TRAILERS, true))).toBe(CODE.STREAM_CLOSED)
  })

  it('resets a closed stream for DATA, and ends the connection for HEADERS', async () => {
    await withPeer(async (peer) => {
      peer.send(headers(1, request('/done'), true))
      await peer.answer(1)
      peer.send(
        windowUpdate(1, 5),
        rstStream(1, CODE.CANCEL),
        frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(5)),
        data(1, 'x'),
      )
      expect(await peer.resetOf(1)).toBe(CODE.STREAM_CLOSED)
      await lives(peer)
    })
    await withPeer(async (peer) => {
      peer.send(headers(1, request('/done'), true))
      await peer.answer(1)
      peer.send(headers(1, request('/done'), true))
      expect((await peer.goAway()).code).toBe(CODE.STREAM_CLOSED)
    })
  })

  it('ignores frames in transit to a stream that the server has reset', () =>
    withPeer(async (peer) => {
      peer.send(headers(1, request('/', [['Upper', 'case']])))
      expect(await peer.resetOf(1)).toBe(CODE.PROTOCOL_ERROR)
      peer.send(data(1, 'x'), headers(1, TRAILERS, true), windowUpdate(1, 1), rstStream(1, CODE.CANCEL))
      await lives(peer)
      expect(peer.frames.filter(({ type }) => type === TYPE.RST_STREAM)).toHaveLength(1)
    }))
})

describe('RFC 9113 §6: frame definitions', () => {
  it.each([
    ['DATA without a stream', data(0, 'x'), CODE.PROTOCOL_ERROR],
    ['PRIORITY without a stream', frame(TYPE.PRIORITY, 0, 0, Buffer.alloc(5)), CODE.PROTOCOL_ERROR],
    ['PRIORITY of 4 bytes', frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(4)), CODE.FRAME_SIZE_ERROR],
    ['a stream that depends on itself', frame(TYPE.PRIORITY, 0, 1, Buffer.of(0, 0, 0, 1, 0)), CODE.PROTOCOL_ERROR],
    ['RST_STREAM without a stream', rstStream(0, 0), CODE.PROTOCOL_ERROR],
    ['RST_STREAM of 5 bytes', frame(TYPE.RST_STREAM, 0, 1, Buffer.alloc(5)), CODE.FRAME_SIZE_ERROR],
    ['SETTINGS of a stream', frame(TYPE.SETTINGS, 0, 1), CODE.PROTOCOL_ERROR],
    ['SETTINGS of 5 bytes', frame(TYPE.SETTINGS, 0, 0, Buffer.alloc(5)), CODE.FRAME_SIZE_ERROR],
    ['an acknowledgement with content', frame(TYPE.SETTINGS, FLAG.ACK, 0, Buffer.alloc(6)), CODE.FRAME_SIZE_ERROR],
    ['ENABLE_PUSH of 2', settings([2, 2]), CODE.PROTOCOL_ERROR],
    ['a window of 2^31', settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31]), CODE.FLOW_CONTROL_ERROR],
    ['frames of 2^14 - 1', settings([SETTING.MAX_FRAME_SIZE, 2 ** 14 - 1]), CODE.PROTOCOL_ERROR],
    ['frames of 2^24', settings([SETTING.MAX_FRAME_SIZE, 2 ** 24]), CODE.PROTOCOL_ERROR],
    ['PUSH_PROMISE', frame(TYPE.PUSH_PROMISE, FLAG.END_HEADERS, 1, uint32(2)), CODE.PROTOCOL_ERROR],
    ['PING of a stream', frame(TYPE.PING, 0, 1, Buffer.alloc(8)), CODE.PROTOCOL_ERROR],
    ['PING of 7 bytes', frame(TYPE.PING, 0, 0, Buffer.alloc(7)), CODE.FRAME_SIZE_ERROR],
    ['GOAWAY of a stream', frame(TYPE.GOAWAY, 0, 1, Buffer.alloc(8)), CODE.PROTOCOL_ERROR],
    ['GOAWAY of 7 bytes', frame(TYPE.GOAWAY, 0, 0, Buffer.alloc(7)), CODE.FRAME_SIZE_ERROR],
    ['WINDOW_UPDATE of 3 bytes', frame(TYPE.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)), CODE.FRAME_SIZE_ERROR],
    ['WINDOW_UPDATE by 0', windowUpdate(0, 0), CODE.PROTOCOL_ERROR],
    ['a window that becomes too large', windowUpdate(0, 2 ** 31 - 1), CODE.FLOW_CONTROL_ERROR],
    ['CONTINUATION without HEADERS', frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 1), CODE.PROTOCOL_ERROR],
    ['HEADERS with too much padding', frame(TYPE.HEADERS, 0x0d, 1, Buffer.of(1)), CODE.PROTOCOL_ERROR],
    ['HEADERS without their padding', frame(TYPE.HEADERS, 0x0d, 1), CODE.FRAME_SIZE_ERROR],
    ['HEADERS without their priority', frame(TYPE.HEADERS, 0x25, 1, Buffer.of(1)), CODE.FRAME_SIZE_ERROR],
    ['a malformed header block', frame(TYPE.HEADERS, 0x05, 1, Buffer.of(0x80)), CODE.COMPRESSION_ERROR],
  ] as const)('ends the connection for %s', async (_what, bytes, code) => {
    expect(await connectionEnds(bytes)).toBe(code)
  })

  it('ends the connection for another frame within a header block', async () => {
    const begun = frame(TYPE.HEADERS, 0, 1, literals(request('/')))
    const others = [data(1, 'x'), frame(TYPE.PING, 0, 0, Buffer.alloc(8)), frame(0x55, 0, 0), headers(3, request('/'))]
    for (const other of others) expect(await connectionEnds(begun, other)).toBe(CODE.PROTOCOL_ERROR)
    expect(await connectionEnds(begun, frame(TYPE.CONTINUATION, FLAG.END_HEADERS, 3))).toBe(CODE.PROTOCOL_ERROR)
  })

  it('ends the connection if it does not begin with the preface and SETTINGS', async () => {
    const peer = await echo.dial()
    peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
    expect((await peer.goAway()).code).toBe(CODE.PROTOCOL_ERROR)
    await peer.untilClosed()
    const other = await echo.dial()
    other.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(TYPE.PING, 0, 0, Buffer.alloc(8)))
    expect((await other.goAway()).code).toBe(CODE.PROTOCOL_ERROR)
    await other.untilClosed()
  })

  it('ends only the stream for an error of that stream', async () => {
    const open = headers(1, request('/never'))
    expect(await streamEnds(1, open, windowUpdate(1, 0))).toBe(CODE.PROTOCOL_ERROR)
    expect(await streamEnds(1, open, windowUpdate(1, 2 ** 31 - 1))).toBe(CODE.FLOW_CONTROL_ERROR)
    expect(await streamEnds(1, open, frame(TYPE.PRIORITY, 0, 1, Buffer.alloc(4)))).toBe(CODE.FRAME_SIZE_ERROR)
    expect(await streamEnds(1, open, frame(TYPE.PRIORITY, 0, 1, Buffer.of(0, 0, 0, 1, 0)))).toBe(CODE.PROTOCOL_ERROR)
    const itself = Buffer.concat([Buffer.of(0, 0, 0, 1, 0), literals(request('/'))])
    expect(await streamEnds(1, frame(TYPE.HEADERS, FLAG.PRIORITY | 5, 1, itself))).toBe(CODE.PROTOCOL_ERROR)
  })

  it('ignores unknown types, flags and settings', () =>
    withPeer(async (peer) => {
      peer.send(frame(0x42, 0xff, 0, Buffer.alloc(20)), frame(0x42, 0xff, 7), settings([0x4242, 7]))
      peer.send(frame(TYPE.HEADERS, 0xd0 | 5, 1, literals(request('/flags'))))
      expect(await peer.answer(1)).toBe('1 /flags ')
    }))

  it('answers a PING with its payload', () =>
    withPeer(async (peer) => {
      peer.send(frame(TYPE.PING, 0, 0, Buffer.from('12345678')))
      const { payload } = await peer.until(({ type, flags }) => type === TYPE.PING && flags === FLAG.ACK)
      expect(payload.toString()).toBe('12345678')
    }))
})

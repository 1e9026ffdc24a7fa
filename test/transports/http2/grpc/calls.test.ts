import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Http2Connection } from '../../../../src/transports/http2/application.ts'
import type { GrpcApplication } from '../../../../src/transports/http2/grpc/application.ts'
import { gzipped } from '../../../../src/transports/http2/grpc/compression.ts'
import { binaryValues, Metadata } from '../../../../src/transports/http2/grpc/metadata.ts'
import type { CallListener, Method, RequestListener } from '../../../../src/transports/http2/grpc/method.ts'
import type { ReceivingCall } from '../../../../src/transports/http2/grpc/receive-budget.ts'
import type { ServerCall } from '../../../../src/transports/http2/grpc/server-call.ts'
import { StatusCode } from '../../../../src/transports/http2/grpc/status.ts'
import { answered, request, serve } from './client.ts'
import { grpcFrame } from './frame.ts'

const NOTHING: CallListener = { cancelled: () => undefined, drained: () => undefined }

/** Answers with the request after 2 ms. */
function echo(application: () => GrpcApplication): Method {
  return {
    kind: 'unary',
    path: '/test.Service/Echo',
    keepsDeadline: false,
    begin: (call, message) => {
      setTimeout(() => {
        call.answer(application().blocks.headers(), message)
        call.release()
      }, 2)
      return NOTHING
    },
  }
}

/** Calls that wait, and how often their method was cancelled or drained. */
class Told {
  readonly calls: ServerCall[] = []
  cancelled = 0
  drained = 0
}

/** A method whose calls the test answers. */
function waiting(told: Told, kind: 'unary' | 'serverStream' = 'unary', keepsDeadline = false): Method {
  return {
    kind,
    path: '/test.Service/Wait',
    keepsDeadline,
    begin: (call) => {
      told.calls.push(call)
      return {
        cancelled: () => {
          told.cancelled += 1
          call.release()
        },
        drained: () => {
          told.drained += 1
        },
      }
    },
  }
}

describe('a request that is not a gRPC call', () => {
  it.each([
    ['a GET', { ':method': 'GET' }, 405],
    ['another type', { 'content-type': 'application/json' }, 415],
    ['a type that only begins like it', { 'content-type': 'application/grpcx' }, 415],
    ['gRPC-Web', { 'content-type': 'application/grpc-web+proto' }, 415],
  ])('is answered with an HTTP status and a sentence: %s', async (_what, headers, status) => {
    const session = await serve((application) => [echo(application)])
    const stream = request(session, '/test.Service/Echo', headers)
    stream.end()
    const answer = await answered(stream)
    expect(answer.headers[':status']).toBe(status)
    expect(answer.headers['grpc-status']).toBeUndefined()
    expect(answer.body.toString()).toMatch(/^A call of gRPC .*\n$/)
  })

  it('is answered after 10 s if it does not end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const connections: Http2Connection[] = []
    const observer = { opened: (connection: Http2Connection) => connections.push(connection), closed: () => undefined }
    const session = await serve((application) => [echo(application)], { connections: observer })
    const endless = request(session, '/test.Service/Echo', { 'content-type': 'text/plain' })
    endless.write('the first part')
    const other = request(session, '/test.Service/Echo', { 'content-type': 'text/plain' })
    other.end()
    await answered(other)
    expect(connections.map(({ streamCount }) => streamCount)).toEqual([1])
    vi.advanceTimersByTime(10_000)
    expect((await answered(endless)).headers[':status']).toBe(415)
    expect(connections.map(({ streamCount }) => streamCount)).toEqual([0])
  })

  it.each([
    'application/grpc',
    'application/grpc+proto',
    'Application/gRPC',
    'application/grpc; charset=utf-8',
    'APPLICATION/GRPC+PROTO;x=y',
  ])('does not have the type %s', async (type) => {
    const session = await serve((application) => [echo(application)])
    const stream = request(session, '/test.Service/Echo', { 'content-type': type })
    stream.end(grpcFrame(Buffer.from('hello')))
    expect((await answered(stream)).status).toBe('0')
  })
})

describe('a call', () => {
  it('is answered with headers, a message and a status', async () => {
    const session = await serve((application) => [echo(application)])
    const stream = request(session, '/test.Service/Echo')
    stream.end(grpcFrame(Buffer.from('hello')))
    const { headers, body, trailers } = await answered(stream)
    expect(headers).toMatchObject({
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-accept-encoding': 'identity,gzip',
    })
    expect(body).toEqual(grpcFrame(Buffer.from('hello')))
    expect({ ...trailers }).toMatchObject({ 'grpc-status': '0' })
  })

  it('gets its own message back among 500 parallel calls, which share read buffers', async () => {
    const session = await serve((application) => [echo(application)])
    const calls = Array.from({ length: 500 }, (_, n) => {
      const message = randomBytes((n * 37) % 3_000)
      const stream = request(session, '/test.Service/Echo')
      stream.end(grpcFrame(message))
      return { message, answer: answered(stream) }
    })
    for (const { message, answer } of calls) expect((await answer).body).toEqual(grpcFrame(message))
  })

  it('is answered if it arrives byte by byte', async () => {
    const session = await serve((application) => [echo(application)])
    const stream = request(session, '/test.Service/Echo')
    const message = grpcFrame(Buffer.from('one byte after the other'))
    for (const byte of message) {
      stream.write(Buffer.of(byte))
      await new Promise((next) => setImmediate(next))
    }
    stream.end()
    expect((await answered(stream)).body).toEqual(message)
  })

  it.each([
    ['of an unknown method', '/test.Service/No', {}, grpcFrame(Buffer.alloc(0)), StatusCode.UNIMPLEMENTED],
    [
      'in an unknown encoding',
      undefined,
      { 'grpc-encoding': 'br' },
      grpcFrame(Buffer.alloc(0)),
      StatusCode.UNIMPLEMENTED,
    ],
    [
      'with a malformed deadline',
      undefined,
      { 'grpc-timeout': 'soon' },
      grpcFrame(Buffer.alloc(0)),
      StatusCode.INTERNAL,
    ],
    [
      'with a field that ends with a space',
      undefined,
      { authorization: 'Bearer ' },
      grpcFrame(Buffer.alloc(0)),
      StatusCode.INVALID_ARGUMENT,
    ],
    ['without a request', undefined, {}, Buffer.alloc(0), StatusCode.UNIMPLEMENTED],
    [
      'with two requests',
      undefined,
      {},
      Buffer.concat([grpcFrame(Buffer.of(1)), grpcFrame(Buffer.of(2))]),
      StatusCode.UNIMPLEMENTED,
    ],
    ['that ends within its request', undefined, {}, grpcFrame(Buffer.alloc(10)).subarray(0, 9), StatusCode.INTERNAL],
    ['that ends within a prefix', undefined, {}, Buffer.of(0, 0), StatusCode.INTERNAL],
    ['with an unknown flag', undefined, {}, Buffer.of(4, 0, 0, 0, 0), StatusCode.INTERNAL],
    ['with a request that is too large', undefined, {}, Buffer.of(0, 0, 1, 0x86, 0xa1), StatusCode.RESOURCE_EXHAUSTED],
    ['compressed without a grpc-encoding', undefined, {}, grpcFrame(gzipSync('x'), true), StatusCode.INTERNAL],
    [
      'compressed with the encoding identity',
      undefined,
      { 'grpc-encoding': 'identity' },
      grpcFrame(gzipSync('x'), true),
      StatusCode.INTERNAL,
    ],
    [
      'with malformed compression',
      undefined,
      { 'grpc-encoding': 'gzip' },
      grpcFrame(Buffer.from('nonsense'), true),
      StatusCode.INTERNAL,
    ],
    [
      'that is too large after decompression',
      undefined,
      { 'grpc-encoding': 'gzip' },
      grpcFrame(gzipSync(Buffer.alloc(10_000_000)), true),
      StatusCode.RESOURCE_EXHAUSTED,
    ],
  ])(
    '%s is refused with trailers only, and with the right code',
    async (_what, path = '/test.Service/Echo', headers, bytes, code) => {
      const session = await serve((application) => [echo(application)])
      const stream = request(session, path, headers)
      stream.on('error', () => undefined)
      stream.end(bytes)
      const answer = await answered(stream)
      expect(answer.headers[':status']).toBe(200)
      expect(answer.headers['grpc-status']).toBe(String(code))
      expect(answer.headers['grpc-accept-encoding']).toBe('identity,gzip')
      expect(answer.headers['grpc-message']).toMatch(/^[A-Z].*\.$/)
      expect(answer.body).toHaveLength(0)
      // The connection goes on.
      const next = request(session, '/test.Service/Echo')
      next.end(grpcFrame(Buffer.of(1)))
      expect((await answered(next)).status).toBe('0')
    },
  )

  it('is decompressed before it is processed', async () => {
    const session = await serve((application) => [echo(application)])
    const message = Buffer.alloc(90_000, 'abc')
    const stream = request(session, '/test.Service/Echo', { 'grpc-encoding': 'gzip' })
    stream.end(grpcFrame(gzipSync(message), true))
    expect((await answered(stream)).body).toEqual(grpcFrame(message))
  })

  it('transfers metadata in both directions, with repeated and binary values', async () => {
    const session = await serve((application) => [
      {
        kind: 'unary',
        path: '/test.Service/Metadata',
        keepsDeadline: false,
        begin: (call) => {
          const metadata = new Metadata()
          for (const value of call.headers.getAll('x-text')) metadata.add('y-text', value)
          for (const value of binaryValues(call.headers, 'x-bin')) metadata.add('y-bin', value)
          call.start(application().blocks.headers(metadata))
          call.end({ code: StatusCode.ABORTED, message: 'é', metadata })
          call.release()
          return NOTHING
        },
      },
    ])
    const stream = request(session, '/test.Service/Metadata', { 'x-text': ['1', '2'], 'x-bin': ['AQ==', 'Ag,Aw'] })
    stream.end(grpcFrame(Buffer.alloc(0)))
    const { headers, trailers } = await answered(stream)
    for (const received of [headers, trailers]) {
      expect(received['y-text']).toBe('1, 2')
      expect(received['y-bin']).toBe('AQ, Ag, Aw')
    }
    expect({ ...trailers }).toMatchObject({ 'grpc-status': '10', 'grpc-message': '%C3%A9' })
  })
})

describe('a call that is not answered in time', () => {
  it('ends at its deadline, and cancels its method', async () => {
    const told = new Told()
    const session = await serve(() => [waiting(told)])
    const stream = request(session, '/test.Service/Wait', { 'grpc-timeout': '50m' })
    stream.end(grpcFrame(Buffer.alloc(0)))
    expect((await answered(stream)).status).toBe(String(StatusCode.DEADLINE_EXCEEDED))
    expect(told).toMatchObject({ cancelled: 1, calls: [{ isCancelled: true }] })
  })

  it('has no timer if its method enforces the deadline', async () => {
    const told = new Told()
    const session = await serve((application) => [echo(application), waiting(told, 'unary', true)])
    const stream = request(session, '/test.Service/Wait', { 'grpc-timeout': '20m' })
    stream.end(grpcFrame(Buffer.alloc(0)))
    await expect.poll(() => told.calls.length).toBe(1)
    await sleep(60)
    expect(told.cancelled).toBe(0)
    told.calls[0]?.end({ code: StatusCode.DEADLINE_EXCEEDED, message: '', metadata: null })
    told.calls[0]?.release()
    expect((await answered(stream)).status).toBe('4')
  })

  it('ends at its deadline while its request is incomplete', async () => {
    const session = await serve((application) => [echo(application)])
    const stream = request(session, '/test.Service/Echo', { 'grpc-timeout': '50m' })
    stream.write(Buffer.of(0, 0))
    expect((await answered(stream)).status).toBe(String(StatusCode.DEADLINE_EXCEEDED))
  })

  it.each([
    ['cancelled', 'stream'],
    ['lost with its connection', 'session'],
  ])('cancels its method once when it is %s, and drops later answers', async (_how, what) => {
    const told = new Told()
    const session = await serve(() => [waiting(told)])
    const stream = request(session, '/test.Service/Wait', { 'grpc-timeout': '1H' })
    stream.on('error', () => undefined)
    stream.end(grpcFrame(Buffer.alloc(0)))
    await expect.poll(() => told.calls.length).toBe(1)
    if (what === 'stream') stream.close(constants.NGHTTP2_CANCEL)
    else session.destroy()
    await expect.poll(() => told.cancelled).toBe(1)
    told.calls[0]?.start(Buffer.alloc(0))
    told.calls[0]?.write(Buffer.alloc(1))
    told.calls[0]?.end()
    await sleep(20)
    expect(told.cancelled).toBe(1)
  })

  it('counts as a stream of its connection until its method has ended', async () => {
    const told = new Told()
    const session = await serve(() => [waiting(told)])
    const stream = request(session, '/test.Service/Wait')
    stream.end(grpcFrame(Buffer.alloc(0)))
    await expect.poll(() => told.calls.length).toBe(1)
    const [call] = told.calls
    expect(call?.connection.streamCount).toBe(1)
    call?.end()
    await answered(stream)
    expect(call?.connection.streamCount).toBe(1)
    call?.release()
    expect(call?.connection.streamCount).toBe(0)
  })

  it.each([
    ['cannot be inflated', grpcFrame(Buffer.from('nonsense'), true), StatusCode.INTERNAL],
    ['is too large inflated', grpcFrame(gzipSync(Buffer.alloc(1_000_000)), true), StatusCode.RESOURCE_EXHAUSTED],
  ])('does not count as a stream after its request %s', async (_what, body, status) => {
    const connections: Http2Connection[] = []
    const observer = { opened: (connection: Http2Connection) => connections.push(connection), closed: () => undefined }
    const session = await serve(() => [waiting(new Told())], { connections: observer })
    const stream = request(session, '/test.Service/Wait', { 'grpc-encoding': 'gzip' })
    stream.end(body)
    expect((await answered(stream)).status).toBe(String(status))
    expect(connections.map(({ streamCount }) => streamCount)).toEqual([0])
  })

  it('does not count as a stream if it is cancelled before its request is inflated', async () => {
    const connections: Http2Connection[] = []
    const observer = { opened: (connection: Http2Connection) => connections.push(connection), closed: () => undefined }
    const session = await serve(() => [waiting(new Told())], { connections: observer })
    const body = grpcFrame(gzipSync(Buffer.alloc(90_000)), true)
    const streams = Array.from({ length: 50 }, () =>
      request(session, '/test.Service/Wait', { 'grpc-encoding': 'gzip' }),
    )
    for (const stream of streams) {
      stream.on('error', () => undefined)
      stream.end(body)
    }
    await expect.poll(() => connections[0]?.streamCount).toBe(50)
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
    await expect.poll(() => connections[0]?.streamCount).toBe(0)
  })
})

describe('a stream of answers', () => {
  it('pauses for a peer that does not read, and continues when it reads', async () => {
    const told = new Told()
    let application: (() => GrpcApplication) | null = null
    const session = await serve(
      (of) => {
        application = of
        return [waiting(told, 'serverStream')]
      },
      {},
      { initialWindowSize: 1_000 },
    )
    const stream = request(session, '/test.Service/Wait')
    stream.end(grpcFrame(Buffer.alloc(0)))
    await expect.poll(() => told.calls.length).toBe(1)
    const [call] = told.calls
    if (call === undefined || application === null) throw new Error('no call')
    const { blocks } = (application as () => GrpcApplication)()
    const message = randomBytes(10_000)
    call.start(blocks.headers())
    let written = 0
    while (call.write(message)) {
      written += 1
      if (written > 10_000) throw new Error('there is no back-pressure')
    }
    written += 1
    expect(told.drained).toBe(0)
    const answer = answered(stream)
    await expect.poll(() => told.drained).toBe(1)
    call.end()
    call.release()
    const { body, status } = await answer
    expect(status).toBe('0')
    expect(body).toEqual(Buffer.concat(Array.from({ length: written }, () => grpcFrame(message))))
  })

  it('can have compressed and uncompressed messages', async () => {
    const session = await serve((application) => [
      {
        kind: 'serverStream',
        path: '/test.Service/Compressed',
        keepsDeadline: false,
        begin: (call, message) => {
          call.start(application().blocks.headers(undefined, 'gzip'))
          void gzipped(message).then((compressed) => {
            call.write(compressed, true)
            call.write(message)
            call.end()
            call.release()
          })
          return NOTHING
        },
      },
    ])
    const message = Buffer.alloc(1_000, 'a')
    const stream = request(session, '/test.Service/Compressed')
    stream.end(grpcFrame(message))
    const { headers, body } = await answered(stream)
    expect(headers['grpc-encoding']).toBe('gzip')
    const length = body.readUInt32BE(1)
    expect(body.readUInt8()).toBe(1)
    expect(gunzipSync(body.subarray(5, 5 + length))).toEqual(message)
    expect(body.subarray(5 + length)).toEqual(grpcFrame(message))
  })
})

/** Counts requests; the test can pause and resume it. */
class Counter implements RequestListener {
  readonly call: ServerCall
  readonly received: { readonly length: number; readonly compressed: boolean }[] = []
  ends = 0

  constructor(call: ServerCall) {
    this.call = call
  }

  request(message: Buffer, compressed: boolean): void {
    this.received.push({ length: message.byteLength, compressed })
  }

  requestsEnded(): void {
    this.ends += 1
  }

  cancelled(): void {
    this.call.release()
  }

  drained(): void {
    // Nothing is written.
  }
}

describe('a stream of requests', () => {
  async function counting(kind: 'clientStream' | 'bidi') {
    const counters: Counter[] = []
    const session = await serve(() => [
      {
        kind,
        path: '/test.Service/Count',
        keepsDeadline: false,
        begin: (call) => {
          const counter = new Counter(call)
          counters.push(counter)
          return counter
        },
      },
    ])
    const stream = request(session, '/test.Service/Count', { 'grpc-encoding': 'gzip' })
    await expect.poll(() => counters.length).toBe(1)
    const [counter] = counters
    if (counter === undefined) throw new Error('no call')
    return { stream, counter }
  }

  it('delivers each request in order, compressed or not, and the end once', async () => {
    const { stream, counter } = await counting('clientStream')
    const lengths = Array.from({ length: 50 }, (_, n) => (n * 997) % 5_000)
    for (const [n, length] of lengths.entries()) {
      const message = Buffer.alloc(length, 'x')
      stream.write(n % 3 === 0 ? grpcFrame(gzipSync(message), true) : grpcFrame(message))
    }
    stream.end()
    await expect.poll(() => counter.ends).toBe(1)
    expect(counter.received).toEqual(lengths.map((length, n) => ({ length, compressed: n % 3 === 0 })))
    counter.call.pause()
    counter.call.resume()
    expect(counter.ends).toBe(1)
    counter.call.end()
    counter.call.release()
    expect((await answered(stream)).status).toBe('0')
  })

  it('is not read while it is paused, and the peer can send at most a window', async () => {
    const { stream, counter } = await counting('bidi')
    counter.call.pause()
    const message = grpcFrame(Buffer.alloc(1_000))
    let sent = 0
    for (let n = 0; n < 1_000; n += 1) stream.write(message, () => (sent += 1))
    await sleep(100)
    expect(counter.received).toHaveLength(0)
    expect(sent * message.byteLength).toBeLessThan(128 * 1024)
    counter.call.resume()
    await expect.poll(() => counter.received.length).toBe(1_000)
    counter.call.end()
    counter.call.release()
    stream.end()
    expect((await answered(stream)).status).toBe('0')
  })

  it('can be ended by the server before the peer ends it', async () => {
    const { stream, counter } = await counting('bidi')
    stream.write(grpcFrame(Buffer.of(1)))
    await expect.poll(() => counter.received.length).toBe(1)
    counter.call.end({ code: StatusCode.OUT_OF_RANGE, message: 'Enough.', metadata: null })
    counter.call.release()
    const answer = await answered(stream)
    expect(answer.headers).toMatchObject({ 'grpc-status': '11', 'grpc-message': 'Enough.' })
  })
})

describe('the receive budget', () => {
  it('is told the size, the pieces and the end of a call that takes longer than one turn', async () => {
    const heard: string[] = []
    const budget = {
      open: (): ReceivingCall => {
        heard.push('open')
        return {
          expect: (bytes) => heard.push(`expect ${bytes}`),
          received: (bytes) => heard.push(`received ${bytes}`),
          close: () => heard.push('close'),
        }
      },
    }
    const session = await serve((application) => [echo(application)], { budget })
    const quick = request(session, '/test.Service/Echo')
    quick.end(grpcFrame(Buffer.alloc(1)))
    await answered(quick)
    heard.length = 0
    const stream = request(session, '/test.Service/Echo')
    stream.write(Buffer.of(0, 0))
    await expect.poll(() => heard).toEqual(['open', 'received 2'])
    stream.write(Buffer.of(0, 0, 3, 7))
    await expect.poll(() => heard).toEqual(['open', 'received 2', 'received 4', 'expect 8'])
    stream.end(Buffer.of(7, 7))
    await answered(stream)
    expect(heard).toEqual(['open', 'received 2', 'received 4', 'expect 8', 'received 2', 'close'])
  })

  it('can pause a call before the rest of its message', async () => {
    const call = Promise.withResolvers<{ resumeReceiving(): void }>()
    const session = await serve((application) => [echo(application)], {
      budget: {
        open: (arriving) => ({
          expect: () => {
            arriving.pauseReceiving()
            call.resolve(arriving)
          },
          received: () => undefined,
          close: () => undefined,
        }),
      },
    })
    const message = grpcFrame(randomBytes(90_000))
    const stream = request(session, '/test.Service/Echo')
    stream.end(message)
    const answer = answered(stream)
    const paused = await call.promise
    await sleep(50)
    paused.resumeReceiving()
    expect((await answer).body).toEqual(message)
  })
})

it('reports connections that open and close', async () => {
  const told: string[] = []
  const session = await serve((application) => [echo(application)], {
    connections: { opened: () => told.push('opened'), closed: () => told.push('closed') },
  })
  await once(session, 'connect')
  await expect.poll(() => told).toEqual(['opened'])
  session.destroy()
  await expect.poll(() => told).toEqual(['opened', 'closed'])
})

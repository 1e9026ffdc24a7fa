import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HeaderList } from '../../../../src/transports/http2/application.ts'
import { type InflateFailure, Inflater } from '../../../../src/transports/http2/grpc/compression.ts'
import { GrowingBuffer } from '../../../../src/transports/http2/grpc/growing-buffer.ts'
import { MessageReader, type MessageSink } from '../../../../src/transports/http2/grpc/message-reader.ts'
import { binaryValues, Metadata } from '../../../../src/transports/http2/grpc/metadata.ts'
import { percentEncoded } from '../../../../src/transports/http2/grpc/percent-encoding.ts'
import { timeoutOf } from '../../../../src/transports/http2/grpc/timeout.ts'
import { grpcFrame } from './frame.ts'

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['4m', 4],
    ['5u', 0.005],
    ['6n', 0.000_006],
    ['0S', 0],
    ['99999999m', 99_999_999],
    ['1.5S', 1_500],
    ['4999.123456789m', 4_999.123_456_789],
  ])('%s is %d ms', (text, ms) => expect(timeoutOf(text)).toBeCloseTo(ms, 9))

  it.each(['99999999H', '99999999M', '99999999S', '597H'])(
    '%s is longer than any timer, and means no timeout',
    (text) => {
      expect(timeoutOf(text)).toBe(Number.POSITIVE_INFINITY)
    },
  )

  it.each([
    '',
    '1',
    'S',
    '-1S',
    '1.S',
    '.5S',
    '1.5.5S',
    '123456789S',
    '1s',
    '1 S',
    ' 1S',
    '1S ',
    '0x1S',
    '١S',
    '1SS',
    '+1S',
  ])('%j is malformed', (text) => expect(timeoutOf(text)).toBeNull())
})

describe('grpc-message', () => {
  it('keeps printable ASCII, and percent-encodes every other byte', () => {
    expect(percentEncoded('All is well.')).toBe('All is well.')
    expect(percentEncoded('100 %\r\nüé')).toBe('100 %25%0D%0A%C3%BC%C3%A9')
  })

  it('decodes to the original message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const encoded = percentEncoded(message)
        expect(encoded).toMatch(/^[ -~]*$/)
        expect(decodeURIComponent(encoded)).toBe(message.toWellFormed())
      }),
    )
  })
})

/** Header fields as the HTTP/2 layer hands them over. */
function headersOf(...fields: readonly (readonly [string, string])[]): HeaderList {
  const getAll = (name: string) => fields.filter(([each]) => each === name).map(([, value]) => value)
  return { get: (name) => getAll(name)[0], getAll, entries: () => fields, bytes: 0 }
}

describe('metadata', () => {
  const bytes = Buffer.from([0xff, 0xef, 0xfe, 0x00, 0x3e])

  it.each([
    ['with padding', '/+/+AD4='],
    ['without padding', '/+/+AD4'],
    ['in the URL-safe alphabet', '_-_-AD4'],
  ])('is decoded from base64 %s', (_how, text) => {
    expect(binaryValues(headersOf(['x-bin', text]), 'x-bin')).toEqual([bytes])
  })

  it('keeps the order of the values of a key, in one field or several', () => {
    const headers = headersOf(['a', '1'], ['x-bin', 'AQ,Ag=='], ['a', '2, 3'], ['x-bin', 'Aw, BA'])
    expect(headers.getAll('a')).toEqual(['1', '2, 3'])
    expect(binaryValues(headers, 'x-bin').map((value) => value.readUInt8())).toEqual([1, 2, 3, 4])
  })

  it('encodes binary values without padding', () => {
    expect(new Metadata().add('x-bin', Buffer.of(1)).fields()).toMatchObject([{ name: 'x-bin', value: 'AQ' }])
  })

  it.each([
    ['grpc-status', '0'],
    ['content-type', 'text/plain'],
    [':path', '/'],
    ['Upper', 'x'],
    ['a b', 'x'],
    ['', 'x'],
    ['a', 'line\nbreak'],
    ['a', ' x'],
    ['a', 'ü'],
    ['a-bin', 'text'],
    ['a', Buffer.of(1)],
  ])('refuses %j: %j', (name, value) => {
    expect(() => new Metadata().add(name, value)).toThrow(/metadata/)
  })
})

/** Collects messages; if `holds`, it pauses after each. */
class Collector implements MessageSink {
  readonly messages: { readonly text: string; readonly compressed: boolean }[] = []
  problem: string | null = null
  isHeld = false
  holds = false

  announced(): void {
    // Messages need no preparation.
  }

  received(message: Buffer, compressed: boolean): void {
    this.messages.push({ text: message.toString('hex'), compressed })
    this.isHeld = this.holds
  }

  malformed(problem: string): void {
    this.problem = problem
  }
}

/** Feeds a reader as its caller must: bytes that it did not read are passed again. */
function feed(reader: MessageReader, sink: Collector, pieces: readonly Buffer[]): void {
  for (const piece of pieces) {
    let rest = piece
    while (rest.byteLength > 0) {
      rest = rest.subarray(reader.read(rest))
      sink.isHeld = false
    }
  }
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)).toSorted((a, b) => a - b), bytes.byteLength]
  return at.slice(1).map((end, n) => bytes.subarray(at[n], end))
}

describe('length-prefixed messages', () => {
  it('are the same for every split of their bytes, with and without pauses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 600 }), fc.boolean()), { maxLength: 8 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        fc.boolean(),
        (messages, cuts, holds) => {
          const sink = new Collector()
          sink.holds = holds
          const reader = new MessageReader(sink, 1_000)
          feed(reader, sink, piecesOf(Buffer.concat(messages.map(([bytes, flag]) => grpcFrame(bytes, flag))), cuts))
          expect(sink.messages).toEqual(
            messages.map(([bytes, compressed]) => ({ text: Buffer.from(bytes).toString('hex'), compressed })),
          )
          expect(sink.problem).toBeNull()
          expect(reader.isAmidMessage).toBe(false)
        },
      ),
    )
  })

  it.each([
    ['a byte more than the limit', grpcFrame(Buffer.alloc(1_001)), 'too large'],
    ['a length of four gigabytes', Buffer.of(0, 0xff, 0xff, 0xff, 0xff), 'too large'],
    ['an unknown flag', Buffer.of(2, 0, 0, 0, 0), 'unknown flag'],
  ])('end at %s, and later bytes are not read', (_what, bytes, problem) => {
    const sink = new Collector()
    const reader = new MessageReader(sink, 1_000)
    feed(reader, sink, [grpcFrame(Buffer.of(1)), bytes, grpcFrame(Buffer.of(2))])
    expect(sink.messages).toHaveLength(1)
    expect(sink.problem).toBe(problem)
  })

  it('take memory for received bytes, not for the announced length', () => {
    const buffer = new GrowingBuffer()
    const most = 1024 * 1024 * 1024
    for (let n = 0; n < 1_000; n += 1) buffer.append(Buffer.of(n), most)
    const taken = buffer.take()
    expect(taken.byteLength).toBe(1_000)
    expect(taken.buffer.byteLength).toBeLessThanOrEqual(2_048)
    expect(buffer.length).toBe(0)
  })
})

describe('inflating', () => {
  const inflated = (inflater: Inflater, bytes: Uint8Array) =>
    new Promise<Buffer | InflateFailure>((resolve) => inflater.inflate(inflater, bytes, resolve))

  it('returns the original of every message, several at the same time', async () => {
    const inflater = new Inflater(100_000)
    const messages = Array.from({ length: 20 }, (_, n) => randomBytes(n * 1_000))
    const waiting = messages.map((message) => inflated(inflater, gzipSync(message)))
    for (const [n, message] of messages.entries()) expect(await waiting[n]).toEqual(message)
  })

  it('lets the connections take turns', async () => {
    const inflater = new Inflater(1_000_000)
    const large = gzipSync(Buffer.alloc(1_000_000))
    const order: string[] = []
    const [greedy, modest] = [{}, {}]
    for (let n = 0; n < 50; n += 1) inflater.inflate(greedy, large, () => order.push('greedy'))
    inflater.inflate(modest, gzipSync('x'), () => order.push('modest'))
    await expect.poll(() => order.length).toBe(51)
    expect(order.indexOf('modest')).toBeLessThan(6)
  })

  it('skips inflations that were withdrawn before they began', async () => {
    const inflater = new Inflater(100_000)
    const done: number[] = []
    const message = gzipSync('x')
    const all = Array.from({ length: 10 }, (_, n) => inflater.inflate(inflater, message, () => done.push(n)))
    // Two have begun, so they cannot be withdrawn.
    expect(all.slice(0, 9).map((inflation) => inflater.withdraw(inflater, inflation))).toEqual(
      [false, false].concat(Array(7).fill(true)),
    )
    await expect.poll(() => done.length).toBe(3)
    expect(done.toSorted()).toEqual([0, 1, 9])
  })

  it.each([
    ['a bomb', gzipSync(Buffer.alloc(50 * 1024 * 1024)), 'too large'],
    ['a byte too many', gzipSync(Buffer.alloc(100_001)), 'too large'],
    ['bytes that are not gzip', Buffer.from('nonsense'), 'malformed'],
    ['an empty message', Buffer.alloc(0), 'malformed'],
    ['truncated gzip', gzipSync(randomBytes(1_000)).subarray(0, 500), 'malformed'],
  ])('refuses %s', async (_what, bytes, problem) => {
    expect(await inflated(new Inflater(100_000), bytes)).toBe(problem)
  })
})

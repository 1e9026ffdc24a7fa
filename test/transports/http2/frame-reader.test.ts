import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../../../src/transports/http2/error-codes.ts'
import { FrameReader } from '../../../src/transports/http2/frame-reader.ts'
import { data, FLAG, frame, PREFACE, settings, TYPE, uint32 } from './wire.ts'

interface Read {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly length: number
  content: string
  ended: boolean
}

/** All frames of these bytes, given in these pieces; the parts of DATA put together. */
function readAll(pieces: readonly Buffer[]): readonly Read[] {
  const reader = new FrameReader()
  const frames: Read[] = []
  for (const piece of pieces) {
    reader.push(piece)
    while (reader.next()) {
      const { type, flags, streamId: stream, length } = reader
      if (reader.first) frames.push({ type, flags, stream, length, content: '', ended: false })
      const last = frames.at(-1)
      if (last === undefined || last.ended) throw new Error('a part without its frame')
      last.content += reader.bytes.toString('latin1', reader.start, reader.end)
      last.ended = reader.last
    }
    expect(reader.hasMore).toBe(false)
  }
  return frames
}

/** Cuts bytes at these places, modulo their length. */
function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at] ?? 0, end))
}

const padded = (stream: number, content: string, padding: number) =>
  frame(
    TYPE.DATA,
    FLAG.PADDED,
    stream,
    Buffer.concat([Buffer.of(padding), Buffer.from(content), Buffer.alloc(padding)]),
  )

const someFrame = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 60 })).map(
    // Padded frames are generated below.
    ([type, flags, payload]) => frame(type, type === TYPE.DATA ? flags & ~FLAG.PADDED : flags, 3, payload),
  ),
  fc
    .tuple(fc.string({ maxLength: 40 }), fc.integer({ min: 0, max: 30 }))
    .map(([text, padding]) => padded(5, text, padding)),
)

describe('the frame reader', () => {
  it('reads the same frames for every split of the bytes', () => {
    fc.assert(
      fc.property(fc.array(someFrame, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, places) => {
        const bytes = Buffer.concat([PREFACE, ...frames])
        expect(readAll(cut(bytes, places))).toEqual(readAll([bytes]))
        expect(readAll(Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(readAll([bytes]))
      }),
    )
  })

  it('returns content as it arrives, without padding, and reports the end of the frame', () => {
    const whole = Buffer.concat([PREFACE, padded(1, 'content', 5)])
    const reader = new FrameReader()
    reader.push(whole.subarray(0, -9))
    expect(reader.next()).toBe(true)
    expect([reader.first, reader.last, reader.overhead]).toEqual([true, false, 6])
    expect(reader.bytes.toString('latin1', reader.start, reader.end)).toBe('con')
    expect(reader.next()).toBe(false)
    reader.push(whole.subarray(-9, -2))
    expect(reader.next()).toBe(true)
    expect([reader.first, reader.last]).toEqual([false, false])
    expect(reader.bytes.toString('latin1', reader.start, reader.end)).toBe('tent')
    expect(reader.next()).toBe(false)
    reader.push(whole.subarray(-2))
    expect(reader.next()).toBe(true)
    expect([reader.first, reader.last, reader.end - reader.start]).toEqual([false, true, 0])
  })

  it('returns views without copying if frames arrive whole', () => {
    const reader = new FrameReader()
    const bytes = Buffer.concat([PREFACE, settings([1, 2]), data(1, 'abc')])
    reader.push(bytes)
    expect(reader.next()).toBe(true)
    expect(reader.bytes).toBe(bytes)
    expect(reader.next()).toBe(true)
    expect(reader.bytes).toBe(bytes)
  })

  it('reports whether it waits for the rest of a frame, except for DATA', () => {
    const reader = new FrameReader()
    reader.push(Buffer.concat([PREFACE, frame(TYPE.PING, 0, 0, uint32(0, 1)).subarray(0, 12)]))
    expect(reader.next()).toBe(false)
    expect(reader.awaitsRest).toBe(true)
    reader.push(Buffer.concat([Buffer.alloc(5), data(1, 'abc').subarray(0, 10)]))
    expect(reader.next()).toBe(true)
    expect(reader.next()).toBe(true)
    expect(reader.next()).toBe(false)
    expect(reader.awaitsRest).toBe(false)
  })

  it('ignores the reserved bit of a stream identifier (RFC 9113 §4.1)', () => {
    const bytes = frame(TYPE.PING, 0, 7)
    bytes.writeUInt8(0x80, 5)
    expect(readAll([PREFACE, bytes])).toMatchObject([{ stream: 7 }])
  })

  it.each([
    ['another preface', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 1],
    ['a frame above the maximum size', [PREFACE, frame(TYPE.DATA, 0, 1, Buffer.alloc(16_385))], 6],
    ['padding as long as the frame', [PREFACE, frame(TYPE.DATA, FLAG.PADDED, 1, Buffer.of(3, 0, 0))], 1],
    ['padding without its length', [PREFACE, frame(TYPE.DATA, FLAG.PADDED, 1)], 6],
  ])('refuses %s', (_what, bytes, code) => {
    const reader = new FrameReader()
    reader.push(Buffer.concat(bytes))
    expect(() => reader.next()).toThrow(ConnectionError)
    const again = new FrameReader()
    again.push(Buffer.concat(bytes))
    expect(() => again.next()).toThrow(expect.objectContaining({ code }))
  })
})

import { ConnectionError, ErrorCode } from './error-codes.ts'
import { Flag, FRAME_HEADER_BYTES, FrameType, MAX_FRAME_BYTES, PREFACE } from './frames.ts'

const NOTHING = Buffer.alloc(0)

/**
 * Cuts what a client sends into frames. `push` gives it bytes; `next` goes on to the next frame that they complete, which the
 * fields describe. A frame of DATA is not waited for: its content is handed on as it comes, in several parts if need be. Of
 * other frames at most one is kept until it is complete. So a reader holds 16 KiB at most, beside the bytes it was given.
 */
export class FrameReader {
  type = 0
  flags = 0
  streamId = 0
  /** Of the payload of the whole frame. */
  length = 0
  /** The payload is `bytes[start, end)`; that of DATA, or the part of it that has come, is without padding. Valid until `push`. */
  bytes: Buffer = NOTHING
  start = 0
  end = 0
  /** Whether this is the first part of a frame, and the last. */
  first = true
  last = true
  /** What a frame of DATA has beside its content: padding, and the length of it. */
  overhead = 0
  /** How many frames began. */
  count = 0

  #chunk: Buffer = NOTHING
  #at = 0
  #preface = 0
  /** The header of a frame that came in pieces. */
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #headerBytes = 0
  /** The payload of a frame that came in pieces; `null` while none is waited for. */
  #payload: Buffer | null = null
  #payloadBytes = 0
  /** What is still to come of a frame of DATA. */
  #content = 0
  #padding = 0
  #awaitsPadding = false
  /** Whether a part of it has been handed on. */
  #begun = false
  #inFrame = false

  /** Everything that was given before must have been read. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** Lets go of what has not been read. */
  close(): void {
    this.#chunk = NOTHING
    this.#at = 0
    this.#payload = null
    this.bytes = NOTHING
  }

  /** Whether a frame has begun to come whose rest is waited for; not so of DATA, of which every part is handed on. */
  get awaitsRest(): boolean {
    return this.#headerBytes > 0 || (this.#inFrame && this.type !== FrameType.DATA)
  }

  /** Whether bytes wait that complete a frame, or may. */
  get hasMore(): boolean {
    return this.#at < this.#chunk.length
  }

  /** @throws ConnectionError where what comes is no frame, or none that may be sent. */
  next(): boolean {
    if (this.#preface < PREFACE.length) this.#readPreface()
    if (!this.#inFrame && !this.#readHeader()) return false
    return this.type === FrameType.DATA ? this.#readData() : this.#readPayload()
  }

  #readPreface(): void {
    while (this.#preface < PREFACE.length && this.#at < this.#chunk.length) {
      if (this.#chunk[this.#at] !== PREFACE.charCodeAt(this.#preface)) {
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'this port speaks HTTP/2 with prior knowledge')
      }
      this.#preface += 1
      this.#at += 1
    }
  }

  #readHeader(): boolean {
    const chunk = this.#chunk
    const there = chunk.length - this.#at
    if (this.#headerBytes === 0 && there >= FRAME_HEADER_BYTES) {
      this.#begin(chunk, this.#at)
      this.#at += FRAME_HEADER_BYTES
      return true
    }
    const taken = Math.min(there, FRAME_HEADER_BYTES - this.#headerBytes)
    chunk.copy(this.#header, this.#headerBytes, this.#at, this.#at + taken)
    this.#at += taken
    this.#headerBytes += taken
    if (this.#headerBytes < FRAME_HEADER_BYTES) return false
    this.#headerBytes = 0
    this.#begin(this.#header, 0)
    return true
  }

  #begin(bytes: Buffer, at: number): void {
    this.length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    this.type = bytes[at + 3] ?? 0
    this.flags = bytes[at + 4] ?? 0
    this.streamId =
      (((bytes[at + 5] ?? 0) & 0x7f) << 24) |
      ((bytes[at + 6] ?? 0) << 16) |
      ((bytes[at + 7] ?? 0) << 8) |
      (bytes[at + 8] ?? 0)
    this.count += 1
    if (this.length > MAX_FRAME_BYTES) {
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of more than ${MAX_FRAME_BYTES} bytes`)
    }
    this.#inFrame = true
    this.first = true
    this.last = true
    this.#begun = false
    this.overhead = 0
    this.#content = this.length
    this.#padding = 0
    this.#awaitsPadding = this.type === FrameType.DATA && (this.flags & Flag.PADDED) !== 0
  }

  #readData(): boolean {
    if (this.#awaitsPadding && !this.#readPadLength()) return false
    const there = this.#chunk.length - this.#at
    const content = Math.min(there, this.#content)
    const padding = content === this.#content ? Math.min(there - content, this.#padding) : 0
    this.#content -= content
    this.#padding -= padding
    this.last = this.#content === 0 && this.#padding === 0
    // Padding alone is no part, but for the end of the frame.
    if (content === 0 && !this.last) {
      this.#at += padding
      return false
    }
    this.first = !this.#begun
    this.#begun = true
    this.bytes = this.#chunk
    this.start = this.#at
    this.end = this.#at + content
    this.#at += content + padding
    this.#inFrame = !this.last
    return true
  }

  /** RFC 9113 §6.1: the padding stands after the content, its length before. */
  #readPadLength(): boolean {
    if (this.length === 0)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'no room for the length of the padding')
    if (this.#at === this.#chunk.length) return false
    this.#padding = this.#chunk[this.#at] ?? 0
    this.#at += 1
    this.#awaitsPadding = false
    if (this.#padding >= this.length) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'more padding than frame')
    this.overhead = 1 + this.#padding
    this.#content = this.length - this.overhead
    return true
  }

  #readPayload(): boolean {
    const there = this.#chunk.length - this.#at
    if (this.#payload === null) {
      if (there >= this.length) {
        this.bytes = this.#chunk
        this.start = this.#at
        this.end = this.#at + this.length
        this.#at = this.end
        this.#inFrame = false
        return true
      }
      if (there === 0) return false
      this.#payload = Buffer.allocUnsafe(this.length)
      this.#payloadBytes = 0
    }
    const taken = Math.min(there, this.length - this.#payloadBytes)
    this.#chunk.copy(this.#payload, this.#payloadBytes, this.#at, this.#at + taken)
    this.#at += taken
    this.#payloadBytes += taken
    if (this.#payloadBytes < this.length) return false
    this.bytes = this.#payload
    this.start = 0
    this.end = this.length
    this.#payload = null
    this.#inFrame = false
    return true
  }
}

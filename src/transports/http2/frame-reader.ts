import { ConnectionError, ErrorCode } from './error-codes.ts'
import { Flag, FRAME_HEADER_BYTES, FrameType, MAX_FRAME_BYTES, PREFACE } from './frames.ts'

const NOTHING = Buffer.alloc(0)

/**
 * Splits the bytes of a client into frames. `push` adds bytes. `next` advances to the next frame that is complete; the fields
 * describe it. The content of a DATA frame is passed on as it arrives, in several parts if necessary. Of other frames, at
 * most one is kept until it is complete. A reader thus holds at most 16 KiB beside the pushed bytes.
 */
export class FrameReader {
  type = 0
  flags = 0
  streamId = 0
  /** The length of the payload of the whole frame. */
  length = 0
  /** The payload is `bytes[start, end)`. For DATA, this is the part that has arrived, without padding. Valid until `push`. */
  bytes: Buffer = NOTHING
  start = 0
  end = 0
  /** Whether this is the first part of a frame, and whether it is the last. */
  first = true
  last = true
  /** The bytes of a DATA frame beside its content: the padding and its length. */
  overhead = 0
  /** The number of frames that have begun. */
  count = 0

  #chunk: Buffer = NOTHING
  #at = 0
  #preface = 0
  /** The header of a frame that arrives in pieces. */
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #headerBytes = 0
  /** The payload of a frame that arrives in pieces; `null` if no frame is incomplete. */
  #payload: Buffer | null = null
  #payloadBytes = 0
  /** The number of content bytes of a DATA frame that have not arrived yet. */
  #content = 0
  #padding = 0
  #awaitsPadding = false
  /** Whether a part of the DATA frame has been passed on. */
  #begun = false
  #inFrame = false

  /** Adds bytes. All bytes of the last call must have been read. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** Releases the unread bytes. */
  close(): void {
    this.#chunk = NOTHING
    this.#at = 0
    this.#payload = null
    this.bytes = NOTHING
  }

  /** Whether a frame is incomplete. DATA frames do not count, because their parts are passed on at once. */
  get awaitsRest(): boolean {
    return this.#headerBytes > 0 || (this.#inFrame && this.type !== FrameType.DATA)
  }

  /** Whether there are unread bytes that complete a frame, or may complete one. */
  get hasMore(): boolean {
    return this.#at < this.#chunk.length
  }

  /** @throws ConnectionError if the bytes are not a valid frame, or not one that a client may send. */
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
    // A piece of padding alone is passed on only at the end of the frame.
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

  /** RFC 9113 §6.1: the padding follows the content; its length precedes the content. */
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

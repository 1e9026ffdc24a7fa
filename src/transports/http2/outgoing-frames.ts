import { BLOCK_BYTES, type BlockPool } from './block-pool.ts'
import type { ErrorCode } from './error-codes.ts'
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  GOAWAY_BYTES,
  PING_BYTES,
  RST_STREAM_BYTES,
  WINDOW_UPDATE_BYTES,
} from './frames.ts'

/** Longer bytes are not copied: copying them costs more than a write with several parts. */
const MAX_COPIED_BYTES = 4096

/** The frames that a connection is about to send, written consecutively into blocks of the pool. */
export class OutgoingFrames {
  readonly #pool: BlockPool
  #block: Buffer | null = null
  /** Of the block, `[0, #taken)` is already among the chunks, and `[#taken, #end)` is not. */
  #taken = 0
  #end = 0
  #chunks: Uint8Array[] = []
  #blocks: Buffer[] = []
  #bytes = 0

  constructor(pool: BlockPool) {
    this.#pool = pool
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Returns all frames so far, to be written in order. The caller returns the blocks to the pool after the write. */
  take(): { readonly chunks: readonly Uint8Array[]; readonly blocks: readonly Buffer[] } {
    this.#closeChunk()
    const { chunks, blocks } = { chunks: this.#chunks, blocks: this.#blocks }
    this.#block = null
    this.#taken = 0
    this.#end = 0
    this.#chunks = []
    this.#blocks = []
    this.#bytes = 0
    return { chunks, blocks }
  }

  /** Writes a header block in as many frames as necessary. `prefix` is a byte before the block; -1 for none. */
  headers(streamId: number, block: Uint8Array, endStream: boolean, maxFrameBytes: number, prefix: number): void {
    const length = block.length + (prefix < 0 ? 0 : 1)
    const ends = endStream ? Flag.END_STREAM : 0
    const first = Math.min(length, maxFrameBytes)
    this.frame(FrameType.HEADERS, first === length ? ends | Flag.END_HEADERS : ends, streamId, first)
    let at = first
    if (prefix >= 0) {
      this.#room(1)[this.#end] = prefix
      this.#advance(1)
      at -= 1
    }
    this.payload(block, 0, at)
    while (at < block.length) {
      const part = Math.min(block.length - at, maxFrameBytes)
      this.frame(FrameType.CONTINUATION, at + part === block.length ? Flag.END_HEADERS : 0, streamId, part)
      this.payload(block, at, at + part)
      at += part
    }
  }

  rstStream(streamId: number, code: ErrorCode): void {
    this.frame(FrameType.RST_STREAM, 0, streamId, RST_STREAM_BYTES)
    this.#integer(code)
  }

  /** Pairs of an identifier and a value. */
  settings(pairs: readonly (readonly [identifier: number, value: number])[]): void {
    this.frame(FrameType.SETTINGS, 0, 0, pairs.length * 6)
    for (const [identifier, value] of pairs) {
      const block = this.#room(6)
      block.writeUInt16BE(identifier, this.#end)
      block.writeUInt32BE(value, this.#end + 2)
      this.#advance(6)
    }
  }

  settingsAck(): void {
    this.frame(FrameType.SETTINGS, Flag.ACK, 0, 0)
  }

  /** The payload is a number, which the acknowledgement repeats. */
  ping(payload: number): void {
    this.frame(FrameType.PING, 0, 0, PING_BYTES)
    this.#integer(0)
    this.#integer(payload)
  }

  pingAck(bytes: Buffer, start: number): void {
    this.frame(FrameType.PING, Flag.ACK, 0, PING_BYTES)
    this.payload(bytes, start, start + PING_BYTES)
  }

  goAway(lastStreamId: number, code: ErrorCode, debug: string): void {
    const text = Buffer.from(debug)
    this.frame(FrameType.GOAWAY, 0, 0, GOAWAY_BYTES + text.length)
    this.#integer(lastStreamId)
    this.#integer(code)
    this.payload(text, 0, text.length)
  }

  windowUpdate(streamId: number, increment: number): void {
    this.frame(FrameType.WINDOW_UPDATE, 0, streamId, WINDOW_UPDATE_BYTES)
    this.#integer(increment)
  }

  /** Writes the header of a frame. A payload of `length` bytes must follow. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    const block = this.#room(FRAME_HEADER_BYTES)
    const at = this.#end
    block[at] = length >>> 16
    block[at + 1] = length >>> 8
    block[at + 2] = length
    block[at + 3] = type
    block[at + 4] = flags
    block[at + 5] = streamId >>> 24
    block[at + 6] = streamId >>> 16
    block[at + 7] = streamId >>> 8
    block[at + 8] = streamId
    this.#advance(FRAME_HEADER_BYTES)
  }

  /** Adds bytes unchanged. Long ones are not copied, and must not change until they have been sent. */
  payload(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length === 0) return
    if (length > MAX_COPIED_BYTES) {
      this.#closeChunk()
      this.#chunks.push(bytes.subarray(start, end))
      this.#bytes += length
      return
    }
    this.#room(length).set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), this.#end)
    this.#advance(length)
  }

  #integer(value: number): void {
    this.#room(4).writeUInt32BE(value, this.#end)
    this.#advance(4)
  }

  /** Returns the block with room for this many bytes at `#end`. */
  #room(bytes: number): Buffer {
    if (this.#block !== null && this.#end + bytes <= BLOCK_BYTES) return this.#block
    this.#closeChunk()
    this.#block = this.#pool.take()
    this.#blocks.push(this.#block)
    this.#taken = 0
    this.#end = 0
    return this.#block
  }

  #advance(bytes: number): void {
    this.#end += bytes
    this.#bytes += bytes
  }

  #closeChunk(): void {
    if (this.#block === null || this.#end === this.#taken) return
    this.#chunks.push(this.#block.subarray(this.#taken, this.#end))
    this.#taken = this.#end
  }
}

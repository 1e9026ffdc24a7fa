import { GrowingBuffer } from './growing-buffer.ts'

/** One byte of flags, and four bytes of length. */
export const PREFIX_BYTES = 5
const COMPRESSED = 1

/** The reason why a stream of messages cannot be read further. */
export type FramingProblem = 'too large' | 'unknown flag'

/** Receives the messages. */
export interface MessageSink {
  /** The prefix of a message has arrived. `length`: the length of the message as it is sent. */
  announced(length: number, compressed: boolean): void
  /** A message has arrived completely. The receiver owns its bytes. */
  received(message: Buffer, compressed: boolean): void
  /** The stream is malformed; nothing more is read. */
  malformed(problem: FramingProblem): void
  /** Whether the next message must not be read yet. */
  readonly isHeld: boolean
}

/** Reads length-prefixed messages from pieces as they arrive ("gRPC over HTTP2", Length-Prefixed-Message). */
export class MessageReader {
  readonly #sink: MessageSink
  readonly #maxBytes: number
  readonly #prefix = Buffer.alloc(PREFIX_BYTES)
  #prefixLength = 0
  #length = 0
  readonly #message = new GrowingBuffer()
  #broken = false

  constructor(sink: MessageSink, maxBytes: number) {
    this.#sink = sink
    this.#maxBytes = maxBytes
  }

  /** Whether a message is incomplete. */
  get isAmidMessage(): boolean {
    return this.#prefixLength > 0
  }

  /**
   * Continues reading. Returns how many bytes of the piece were read. This is less than the whole piece if the sink holds the
   * next message.
   */
  read(piece: Buffer): number {
    let at = 0
    while (!this.#broken && !this.#sink.isHeld) {
      if (this.#prefixLength < PREFIX_BYTES) {
        if (at === piece.byteLength) return at
        at += this.#readPrefix(piece.subarray(at))
      } else {
        const wanted = Math.min(this.#length - this.#message.length, piece.byteLength - at)
        this.#message.append(piece.subarray(at, at + wanted), this.#length)
        at += wanted
        if (this.#message.length < this.#length) return at
        this.#prefixLength = 0
        this.#sink.received(this.#message.take(), this.#prefix[0] === COMPRESSED)
      }
    }
    return this.#broken ? piece.byteLength : at
  }

  #readPrefix(piece: Buffer): number {
    const taken = piece.copy(this.#prefix, this.#prefixLength, 0, PREFIX_BYTES - this.#prefixLength)
    this.#prefixLength += taken
    if (this.#prefixLength < PREFIX_BYTES) return taken
    const flags = this.#prefix.readUInt8(0)
    this.#length = this.#prefix.readUInt32BE(1)
    if (flags > COMPRESSED) this.#break('unknown flag')
    else if (this.#length > this.#maxBytes) this.#break('too large')
    else this.#sink.announced(this.#length, flags === COMPRESSED)
    return taken
  }

  #break(problem: FramingProblem): void {
    this.#broken = true
    this.#sink.malformed(problem)
  }
}

/** The prefix of an outgoing message. */
export function prefixOf(length: number, compressed: boolean): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES)
  prefix[0] = compressed ? COMPRESSED : 0
  prefix[1] = length >>> 24
  prefix[2] = length >>> 16
  prefix[3] = length >>> 8
  prefix[4] = length
  return prefix
}

import type { Http2Stream, RequestHeaders } from '../application.ts'
import type { CallServices } from './call-services.ts'
import { GZIP, type Inflation } from './compression.ts'
import { GrowingBuffer } from './growing-buffer.ts'
import { type FramingProblem, MessageReader, type MessageSink } from './message-reader.ts'
import type { ServerCall } from './server-call.ts'
import { callStatus, StatusCode } from './status.ts'

/** The components that can hold back the next requests. */
export const Holder = Object.freeze({ METHOD: 1, BUDGET: 2, INFLATER: 4 })

/** The call whose requests are read. */
export interface ReadCall extends Pick<ServerCall, 'end'> {
  /** The prefix of a message has arrived. `length`: the size of the message, in bytes. */
  messageAnnounced(length: number, compressed: boolean): void
  /** `compressed`: whether the message was compressed when it arrived. */
  requestCame(message: Buffer, compressed: boolean): void
  /** No component holds back requests any more, and all data that has arrived was read. */
  caughtUp(): void
  /** The reader was closed while a message was being inflated, and that inflation has ended. */
  inflatingEnded(): void
}

/**
 * Reads the requests of a call that do not each arrive in one piece. Assembles them, inflates compressed ones, and holds them
 * back on demand. The peer gets credit only for bytes that were read, so at most one window is held back.
 */
export class RequestReader implements MessageSink {
  readonly #stream: Http2Stream
  readonly #headers: RequestHeaders
  readonly #call: ReadCall
  readonly #services: CallServices
  readonly #messages: MessageReader
  /** A sum of `Holder`. */
  #held = 0
  /** The data that arrived while the next message is held back. */
  #waiting: GrowingBuffer | null = null
  #readsWaiting = false
  /** A message that is being inflated, or waits for inflation. */
  #inflation: Inflation | null = null
  #closed = false

  constructor(stream: Http2Stream, headers: RequestHeaders, call: ReadCall, services: CallServices) {
    this.#stream = stream
    this.#headers = headers
    this.#call = call
    this.#services = services
    this.#messages = new MessageReader(this, services.maxMessageBytes)
  }

  /** Whether the next request must not be read yet. */
  get isHeld(): boolean {
    return this.#held !== 0
  }

  /** Whether data has arrived that was not read. */
  get hasMore(): boolean {
    return this.#waiting !== null && this.#waiting.length > 0
  }

  /** Whether a request is incomplete. */
  get isAmidMessage(): boolean {
    return this.#messages.isAmidMessage
  }

  /** Reads a piece that has arrived. The piece is a view, and is copied if it is kept. */
  read(piece: Buffer): void {
    // Waiting data comes first.
    const read = this.hasMore ? 0 : this.#messages.read(piece)
    if (read > 0) this.#stream.consumed(read)
    if (read === piece.byteLength || this.#closed) return
    this.#waiting ??= new GrowingBuffer()
    this.#waiting.append(piece.subarray(read), this.#services.maxMessageBytes)
  }

  /** Stops reading requests until the holder releases them. */
  hold(holder: number): void {
    this.#held |= holder
  }

  letGo(holder: number): void {
    if ((this.#held & holder) === 0) return
    this.#held &= ~holder
    // A method that holds and releases the next message while it handles one does so during the reading below.
    if (this.isHeld || this.#closed || this.#readsWaiting) return
    this.#readWaiting()
    // One of the messages just read may have caused another hold.
    if (!this.isHeld) this.#call.caughtUp()
  }

  /** Stops reading. Returns whether a message is still being inflated, which cannot be stopped. */
  close(): boolean {
    this.#closed = true
    this.#waiting = null
    if (this.#inflation === null) return false
    const { inflater } = this.#services
    return !inflater.withdraw(this.#stream.connection, this.#inflation)
  }

  announced(length: number, compressed: boolean): void {
    this.#call.messageAnnounced(length, compressed)
  }

  received(message: Buffer, compressed: boolean): void {
    if (!compressed) this.#call.requestCame(message, false)
    else if (this.#headers.get('grpc-encoding') === GZIP) this.#inflate(message)
    else this.#fail(StatusCode.INTERNAL, 'A message is compressed, and no grpc-encoding says how.')
  }

  malformed(problem: FramingProblem): void {
    if (problem === 'too large') this.#tooLarge()
    else this.#fail(StatusCode.INTERNAL, 'A message has a flag that gRPC does not know.')
  }

  #readWaiting(): void {
    const waiting = this.#waiting
    if (waiting === null || waiting.length === 0) return
    const bytes = waiting.take()
    this.#readsWaiting = true
    const read = this.#messages.read(bytes)
    this.#readsWaiting = false
    if (read > 0) this.#stream.consumed(read)
    if (read < bytes.byteLength && !this.#closed) waiting.append(bytes.subarray(read), bytes.byteLength)
  }

  #inflate(message: Buffer): void {
    this.hold(Holder.INFLATER)
    this.#inflation = this.#services.inflater.inflate(this.#stream.connection, message, (inflated) => {
      this.#inflation = null
      if (this.#closed) this.#call.inflatingEnded()
      else if (inflated === 'too large') this.#tooLarge()
      else if (inflated === 'malformed') this.#fail(StatusCode.INTERNAL, 'A compressed message cannot be inflated.')
      else {
        this.#call.requestCame(inflated, true)
        this.letGo(Holder.INFLATER)
      }
    })
  }

  #tooLarge(): void {
    const { maxMessageBytes } = this.#services
    this.#fail(StatusCode.RESOURCE_EXHAUSTED, `A message is larger than ${maxMessageBytes} bytes.`)
  }

  #fail(code: number, message: string): void {
    this.#call.end(callStatus(code, message))
  }
}

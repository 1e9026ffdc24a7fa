import type { Http2Connection, Http2Stream, StreamHandler } from './application.ts'
import { Closed } from './closed-streams.ts'
import { ErrorCode } from './error-codes.ts'
import { MAX_31_BITS } from './frames.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Sender, WaitingStream } from './sender.ts'

/** The services that a stream needs from its connection. */
export interface StreamOwner {
  readonly connection: Http2Connection
  readonly sender: Sender
  /** Bytes of content of any stream were consumed. */
  consumed(bytes: number): void
  /** Nothing more is sent or received on the stream. `how` is one of `Closed`. */
  ended(stream: ServerStream, how: number): void
  /** The stream and its handler have ended. */
  gone(stream: ServerStream, answered: boolean): void
}

const REMOTE_ENDED = 1
const LOCAL_ENDED = 2
const RESET = 4
const RELEASED = 8
/** The application has ended the answer. The end may wait behind content. */
const ANSWERED = 16
/** `sendData` returned false. */
const OWES_DRAINED = 32

/** A request and its answer: the states of RFC 9113 §5.1, and the part of the answer that waits for flow control. */
export class ServerStream implements Http2Stream, WaitingStream {
  readonly id: number
  /** The size of the header list. */
  readonly headerBytes: number
  sendWindow: number
  waitingBytes = 0
  readonly #owner: StreamOwner
  readonly #window: ReceiveWindow
  #handler: StreamHandler | null = null
  #state = 0
  /** The number of content bytes that `content-length` still announces; -1 if it is missing. */
  #expected: number
  /** The size of the content that was passed to the handler and not consumed. */
  #held = 0
  /** The waiting content. It starts at `#offset` of the first part. */
  #waiting: Uint8Array[] = []
  #offset = 0
  #trailers: Uint8Array | null = null

  constructor(
    id: number,
    owner: StreamOwner,
    sendWindow: number,
    receiveWindow: number,
    contentLength: number,
    headerBytes: number,
  ) {
    this.id = id
    this.headerBytes = headerBytes
    this.#owner = owner
    this.sendWindow = sendWindow
    this.#window = new ReceiveWindow(receiveWindow)
    this.#expected = contentLength
  }

  get connection(): Http2Connection {
    return this.#owner.connection
  }

  get writable(): boolean {
    return (this.#state & (RESET | ANSWERED)) === 0
  }

  /** Whether the request has ended. */
  get remoteEnded(): boolean {
    return (this.#state & REMOTE_ENDED) !== 0
  }

  // Actions of the application.

  respond(headers: Uint8Array, data: readonly Uint8Array[] | null, trailers: Uint8Array | null): void {
    if (!this.writable) return
    this.sendHeaders(headers, data === null && trailers === null)
    if (data !== null) this.sendData(data, trailers === null)
    if (trailers !== null) this.sendTrailers(trailers)
  }

  sendHeaders(block: Uint8Array, endStream: boolean): void {
    if (!this.writable) return
    this.#owner.sender.headers(this.id, block, endStream)
    if (endStream) this.#localEnd()
  }

  sendData(parts: readonly Uint8Array[], endStream: boolean): boolean {
    if (!this.writable) return true
    let bytes = 0
    for (const part of parts) bytes += part.length
    const { sender } = this.#owner
    if (this.waitingBytes === 0 && sender.lets(bytes, this.sendWindow)) {
      if (bytes === 0 && !endStream) return true
      this.sendWindow -= bytes
      sender.data(this.id, bytes, endStream, false)
      for (const part of parts) sender.content(part, 0, part.length)
      if (endStream) this.#localEnd()
      return true
    }
    for (const part of parts) if (part.length > 0) this.#waiting.push(part)
    this.waitingBytes += bytes
    sender.waitingBytes += bytes
    if (endStream) this.#state |= ANSWERED
    if (this.sendWindow > 0) {
      sender.ready(this)
      sender.pump()
    }
    if (this.waitingBytes === 0) return true
    this.#state |= OWES_DRAINED
    return false
  }

  sendTrailers(block: Uint8Array): void {
    if (!this.writable) return
    if (this.waitingBytes > 0) {
      this.#state |= ANSWERED
      this.#trailers = block
      return
    }
    this.#owner.sender.headers(this.id, block, true)
    this.#localEnd()
  }

  consumed(bytes: number): void {
    const taken = Math.min(bytes, this.#held)
    this.#held -= taken
    this.#owner.consumed(taken)
    if ((this.#state & (REMOTE_ENDED | RESET)) !== 0) return
    const credit = this.#window.consume(taken)
    if (credit > 0) this.#owner.sender.windowUpdate(this.id, credit)
  }

  reset(code: ErrorCode): void {
    if (this.#isClosed()) return
    this.#owner.sender.reset(this.id, code)
    this.#close(RESET, Closed.BY_RESET)
  }

  released(): void {
    if ((this.#state & RELEASED) !== 0) return
    this.#state |= RELEASED
    this.#handler = null
    if (this.#isClosed()) this.#gone()
  }

  // Events of the peer.

  /** Sets the handler, unless the stream has already ended: a request may be answered as soon as it begins. */
  handle(handler: StreamHandler): void {
    if ((this.#state & RELEASED) === 0) this.#handler = handler
  }

  /** The request has no content. This was compared with `content-length`. */
  endWithHeaders(): void {
    this.#state |= REMOTE_ENDED
  }

  /** The request ends. Returns false if `content-length` announced more content (RFC 9113 §8.1.1). */
  #remoteEnd(): boolean {
    if (this.#expected > 0) return false
    this.#state |= REMOTE_ENDED
    return true
  }

  /** A DATA frame arrived; `bytes` includes padding. Returns false if it exceeds the window. */
  receive(bytes: number): boolean {
    return this.#window.receive(bytes)
  }

  /** Consumes padding, which the handler does not get. */
  skip(bytes: number): void {
    this.#held += bytes
    this.consumed(bytes)
  }

  /** Content arrived. Returns false if it exceeds `content-length`. */
  content(chunk: Buffer, endStream: boolean): boolean {
    if (this.#expected >= 0) {
      this.#expected -= chunk.length
      if (this.#expected < 0) return false
    }
    if (endStream && !this.#remoteEnd()) return false
    this.#held += chunk.length
    this.#handler?.data(chunk, endStream)
    return true
  }

  /** The request ends with trailers. Returns false if `content-length` announced more content. */
  trailed(headers: Parameters<StreamHandler['trailers']>[0]): boolean {
    if (!this.#remoteEnd()) return false
    this.#handler?.trailers(headers)
    return true
  }

  /** The peer increases the window. Returns false if the window would become too large. */
  widen(increment: number): boolean {
    if (this.sendWindow + increment > MAX_31_BITS) return false
    this.sendWindow += increment
    if (this.waitingBytes > 0 && this.sendWindow > 0) {
      this.#owner.sender.ready(this)
      this.#owner.sender.pump()
    }
    return true
  }

  /** The peer has acknowledged SETTINGS with this window size for requests. */
  resizeWindow(bytes: number): void {
    this.#window.resize(bytes)
  }

  /** The stream ended without its answer. The handler is informed. */
  abort(code: number, how: number): void {
    if (this.#isClosed()) return
    this.#close(RESET, how)
    this.#handler?.aborted(code)
  }

  /** Sends RST_STREAM because of frames of the peer. The handler is informed. */
  refuse(code: ErrorCode): void {
    if (this.#isClosed()) return
    this.#owner.sender.reset(this.id, code)
    this.abort(code, Closed.BY_RESET)
  }

  sendWaiting(bytes: number): void {
    const { sender } = this.#owner
    const left = this.waitingBytes - bytes
    const ends = left === 0 && this.#trailers === null && (this.#state & ANSWERED) !== 0
    sender.data(this.id, bytes, ends, left > 0)
    this.#takeWaiting(bytes)
    this.sendWindow -= bytes
    this.waitingBytes = left
    sender.waitingBytes -= bytes
    if (left > 0) return
    if (this.#trailers !== null) sender.headers(this.id, this.#trailers, true)
    if ((this.#state & ANSWERED) !== 0) this.#localEnd()
    else if ((this.#state & OWES_DRAINED) !== 0) {
      this.#state &= ~OWES_DRAINED
      this.#handler?.drained()
    }
  }

  #takeWaiting(bytes: number): void {
    let left = bytes
    let done = 0
    for (const part of this.#waiting) {
      if (left === 0) break
      const taken = Math.min(left, part.length - this.#offset)
      this.#owner.sender.content(part, this.#offset, this.#offset + taken)
      left -= taken
      this.#offset += taken
      if (this.#offset < part.length) break
      this.#offset = 0
      done += 1
    }
    this.#waiting.splice(0, done)
  }

  #localEnd(): void {
    this.#state |= ANSWERED | LOCAL_ENDED
    if ((this.#state & REMOTE_ENDED) !== 0) this.#close(0, Closed.BY_PEER)
    else {
      // RFC 9113 §8.1: the rest of the request is not needed.
      this.#owner.sender.reset(this.id, ErrorCode.NO_ERROR)
      this.#close(0, Closed.BY_RESET)
    }
  }

  #isClosed(): boolean {
    return (this.#state & RESET) !== 0 || (this.#state & (LOCAL_ENDED | REMOTE_ENDED)) === (LOCAL_ENDED | REMOTE_ENDED)
  }

  #close(state: number, how: number): void {
    this.#state |= state | REMOTE_ENDED | LOCAL_ENDED
    const { sender } = this.#owner
    sender.forget(this)
    sender.waitingBytes -= this.waitingBytes
    this.waitingBytes = 0
    this.#waiting = []
    this.#trailers = null
    this.#owner.ended(this, how)
    if ((this.#state & RELEASED) !== 0) this.#gone()
  }

  #gone(): void {
    if (this.#held > 0) this.#owner.consumed(this.#held)
    this.#held = 0
    this.#owner.gone(this, (this.#state & RESET) === 0)
  }
}

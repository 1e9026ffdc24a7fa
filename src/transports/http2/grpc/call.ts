import type { Http2Connection, Http2Stream, RequestHeaders, StreamHandler } from '../application.ts'
import type { CallServices } from './call-services.ts'
import { PREFIX_BYTES, prefixOf } from './message-reader.ts'
import type { CallListener, Method, RequestListener } from './method.ts'
import type { ArrivingCall, ReceivingCall } from './receive-budget.ts'
import { Holder, type ReadCall, RequestReader } from './request-reader.ts'
import type { ServerCall } from './server-call.ts'
import { type CallStatus, callStatus, OK, StatusCode } from './status.ts'

/** The state of a call on a stream of HTTP/2. It reads the requests, begins the method, and sends the method's answers. */
export class GrpcCall implements ServerCall, ArrivingCall, StreamHandler, ReadCall {
  readonly headers: RequestHeaders
  readonly deadline: number | null
  readonly #stream: Http2Stream
  readonly #method: Method
  readonly #services: CallServices
  #listener: CallListener | null = null
  /** The listener of a method with a stream of requests. */
  #requests: RequestListener | null = null
  /** The request of a method with one request, kept until the end of the requests arrives. */
  #request: Buffer | null = null
  #requestWasCompressed = false
  /** `null`: each message so far arrived in one piece, and none is held back. */
  #reader: RequestReader | null = null
  #receivedBytes = 0
  /** The size of the first incoming message; `0` if it is not known yet. */
  #expectedBytes = 0
  #receiving: ReceivingCall | null = null
  #requestsEnded = false
  /** The method was informed of the end of the requests. */
  #endTold = false
  /** The method has begun, and will release the call. */
  #begun = false
  #timer: NodeJS.Timeout | null = null
  #started = false
  #ended = false
  #cancelled = false
  #released = false

  constructor(
    stream: Http2Stream,
    headers: RequestHeaders,
    method: Method,
    deadline: number | null,
    services: CallServices,
  ) {
    this.headers = headers
    this.deadline = deadline
    this.#stream = stream
    this.#method = method
    this.#services = services
  }

  get connection(): Http2Connection {
    return this.#stream.connection
  }

  get isCancelled(): boolean {
    return this.#cancelled
  }

  answer(headers: Uint8Array, message: Uint8Array): void {
    if (this.#ended) return
    this.#end()
    this.#stream.respond(headers, [prefixOf(message.byteLength, false), message], this.#services.okTrailers)
  }

  start(headers: Uint8Array): void {
    if (this.#ended || this.#started) return
    this.#started = true
    this.#stream.sendHeaders(headers, false)
  }

  write(message: Uint8Array, compressed = false): boolean {
    if (this.#ended) return true
    return this.#stream.sendData([prefixOf(message.byteLength, compressed), message], false)
  }

  end(status: CallStatus = OK): void {
    if (this.#ended) return
    this.#end()
    const { blocks, okTrailers } = this.#services
    if (!this.#started) this.#stream.respond(blocks.trailersOnly(status), null, null)
    else this.#stream.sendTrailers(status === OK ? okTrailers : blocks.trailers(status))
  }

  pause(): void {
    this.#requestReader().hold(Holder.METHOD)
  }

  resume(): void {
    this.#reader?.letGo(Holder.METHOD)
  }

  pauseReceiving(): void {
    this.#requestReader().hold(Holder.BUDGET)
  }

  resumeReceiving(): void {
    this.#reader?.letGo(Holder.BUDGET)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#stream.released()
  }

  /** Begins the method if it takes a stream of requests. */
  begin(endStream: boolean): void {
    const method = this.#method
    if (method.kind === 'clientStream' || method.kind === 'bidi') {
      if (!method.keepsDeadline) this.#keepDeadline()
      this.#begun = true
      this.#requests = method.begin(this)
      this.#listener = this.#requests
    }
    if (endStream) this.#requestsOver()
  }

  /** The turn in which the call began is over. The rest of its requests may take long to arrive. */
  turnOver(): void {
    if (this.#requestsEnded || this.#ended) return
    const { budget } = this.#services
    if (budget !== null) {
      this.#receiving = budget.open(this, this.headers.bytes)
      if (this.#ended) return
      if (this.#expectedBytes > 0) this.#receiving.expect(this.#expectedBytes)
      if (this.#receivedBytes > 0) this.#receiving.received(this.#receivedBytes)
    }
    if (!this.#ended && !this.#begun) this.#keepDeadline()
  }

  data(chunk: Buffer, endStream: boolean): void {
    if (!this.#ended && chunk.byteLength > 0) this.#dataCame(chunk)
    if (endStream) this.#requestsOver()
  }

  trailers(): void {
    this.#requestsOver()
  }

  aborted(): void {
    this.#cancel()
  }

  drained(): void {
    this.#listener?.drained()
  }

  messageAnnounced(length: number, compressed: boolean): void {
    if (this.#expectedBytes > 0) return
    this.#expectedBytes = PREFIX_BYTES + length + (compressed ? this.#services.maxMessageBytes : 0)
    this.#receiving?.expect(this.#expectedBytes)
  }

  requestCame(message: Buffer, compressed: boolean): void {
    if (this.#ended) return
    if (this.#requests !== null) this.#requests.request(message, compressed)
    else if (this.#request === null) {
      this.#request = message
      this.#requestWasCompressed = compressed
    } else this.end(callStatus(StatusCode.UNIMPLEMENTED, 'The method takes one request, and more were sent.'))
  }

  caughtUp(): void {
    if (this.#requestsEnded) this.#tellRequestsEnded()
  }

  inflatingEnded(): void {
    // No method was begun for the call, and this was its last work.
    if (!this.#begun) this.release()
  }

  #dataCame(chunk: Buffer): void {
    this.#receivedBytes += chunk.byteLength
    this.#receiving?.received(chunk.byteLength)
    // The call may have been refused because of the message.
    if (this.#ended) return
    if (this.#isWholeMessage(chunk)) {
      this.#stream.consumed(chunk.byteLength)
      this.requestCame(Buffer.from(chunk.subarray(PREFIX_BYTES)), false)
    } else this.#requestReader().read(chunk)
  }

  #requestReader(): RequestReader {
    this.#reader ??= new RequestReader(this.#stream, this.headers, this, this.#services)
    return this.#reader
  }

  /** Most messages arrive in one piece and need no reader. */
  #isWholeMessage(chunk: Buffer): boolean {
    if (this.#reader !== null || chunk.byteLength < PREFIX_BYTES) return false
    const length = chunk.byteLength - PREFIX_BYTES
    return chunk[0] === 0 && chunk.readUInt32BE(1) === length && length <= this.#services.maxMessageBytes
  }

  #requestsOver(): void {
    if (this.#requestsEnded) return
    this.#requestsEnded = true
    this.#receiving?.close()
    this.#receiving = null
    if (!this.#ended && this.#reader?.isHeld !== true) this.#tellRequestsEnded()
  }

  #tellRequestsEnded(): void {
    if (this.#ended || this.#endTold || this.#reader?.hasMore === true) return
    this.#endTold = true
    const method = this.#method
    if (this.#reader?.isAmidMessage) {
      this.end(callStatus(StatusCode.INTERNAL, 'The requests ended amid a message.'))
    } else if (this.#requests !== null) this.#requests.requestsEnded()
    else if (this.#request === null) {
      this.end(callStatus(StatusCode.UNIMPLEMENTED, 'The method takes one request, and none was sent.'))
    } else if (!this.#begun && (method.kind === 'unary' || method.kind === 'serverStream')) {
      const request = this.#request
      // Frees the request, because the call may last long.
      this.#request = null
      if (method.keepsDeadline) this.#clearTimer()
      else this.#keepDeadline()
      this.#begun = true
      this.#listener = method.begin(this, request, this.#requestWasCompressed)
    }
  }

  #keepDeadline(): void {
    if (this.deadline === null || this.#timer !== null) return
    const left = Math.max(0, this.deadline - Date.now())
    this.#timer = setTimeout(() => this.#deadlineOver(), left).unref()
  }

  #deadlineOver(): void {
    if (this.#ended) return
    this.end(callStatus(StatusCode.DEADLINE_EXCEEDED, 'The deadline has passed.'))
    this.#cancelled = true
    this.#listener?.cancelled()
  }

  #cancel(): void {
    if (this.#ended) return
    this.#cancelled = true
    this.#end()
    this.#listener?.cancelled()
  }

  /** Nothing more is sent or read. The code that answers a call without a begun method releases it. */
  #end(): void {
    this.#ended = true
    this.#clearTimer()
    this.#receiving?.close()
    this.#receiving = null
    // If a message is being inflated, its end is awaited.
    const isInflating = this.#reader?.close() === true
    if (!this.#begun && !isInflating) this.release()
  }

  #clearTimer(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }
}

import type { Http2Connection, Http2Stream, RequestHeaders, StreamHandler } from '../application.ts'
import type { CallServices } from './call-services.ts'
import { GZIP, type Inflation } from './compression.ts'
import { GrowingBuffer } from './growing-buffer.ts'
import { MessageReader, type MessageSink, PREFIX_BYTES, prefixOf } from './message-reader.ts'
import type { CallListener, Method, RequestListener } from './method.ts'
import type { ArrivingCall, ReceivingCall } from './receive-budget.ts'
import type { ServerCall } from './server-call.ts'
import { type CallStatus, callStatus, OK, StatusCode } from './status.ts'

/** Why no more requests are read at the moment. */
const HELD_BY_METHOD = 1
const HELD_BY_BUDGET = 2
const HELD_BY_INFLATING = 4

/**
 * The state of a call: it reads the requests of a stream of HTTP/2, begins its method,
 * and sends what that answers.
 */
export class GrpcCall implements ServerCall, ArrivingCall, StreamHandler, MessageSink {
  readonly headers: RequestHeaders
  readonly deadline: number | null
  readonly #stream: Http2Stream
  readonly #method: Method
  readonly #services: CallServices
  #listener: CallListener | null = null
  /** Of a method whose requests are a stream. */
  #requests: RequestListener | null = null
  /** Of a method with one request: it has come, and the end of the requests has not. */
  #request: Buffer | null = null
  #requestWasCompressed = false
  #reader: MessageReader | null = null
  /** A message that is being inflated, or waits for it. */
  #inflation: Inflation | null = null
  #held = 0
  /** What has come while the next message is held. The peer gets no credit for it, so it is no more than a window. */
  #waiting: GrowingBuffer | null = null
  #readsWaiting = false
  #receivedBytes = 0
  /** That of the first message on its way; `0`: not known yet. */
  #expectedBytes = 0
  #receiving: ReceivingCall | null = null
  #requestsEnded = false
  /** The method knows it. */
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

  /** Whether the next request is not to be read yet. */
  get isHeld(): boolean {
    return this.#held !== 0
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
    this.#held |= HELD_BY_METHOD
  }

  resume(): void {
    this.#letGo(HELD_BY_METHOD)
  }

  pauseReceiving(): void {
    this.#held |= HELD_BY_BUDGET
  }

  resumeReceiving(): void {
    this.#letGo(HELD_BY_BUDGET)
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#stream.released()
  }

  /** Begins, where its method takes a stream of requests. */
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

  /** The turn in which it began is over: whatever has not come yet may take long. */
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

  announced(length: number, compressed: boolean): void {
    if (this.#expectedBytes > 0) return
    this.#expectedBytes = PREFIX_BYTES + length + (compressed ? this.#services.maxMessageBytes : 0)
    this.#receiving?.expect(this.#expectedBytes)
  }

  received(message: Buffer, compressed: boolean): void {
    if (!compressed) this.#requestCame(message, false)
    else if (this.headers.get('grpc-encoding') !== GZIP) {
      this.end(callStatus(StatusCode.INTERNAL, 'A message is compressed, and no grpc-encoding says how.'))
    } else this.#inflate(message)
  }

  malformed(problem: 'too large' | 'unknown flag'): void {
    if (problem === 'too large') this.#tooLarge()
    else this.end(callStatus(StatusCode.INTERNAL, 'A message has a flag that gRPC does not know.'))
  }

  #dataCame(chunk: Buffer): void {
    this.#receivedBytes += chunk.byteLength
    this.#receiving?.received(chunk.byteLength)
    // It may have been refused for it.
    if (this.#ended) return
    if (this.#isWholeMessage(chunk)) {
      this.#stream.consumed(chunk.byteLength)
      this.#requestCame(Buffer.from(chunk.subarray(PREFIX_BYTES)), false)
      return
    }
    this.#reader ??= new MessageReader(this, this.#services.maxMessageBytes)
    // What waits comes first.
    const read = this.#waiting !== null && this.#waiting.length > 0 ? 0 : this.#reader.read(chunk)
    if (read > 0) this.#stream.consumed(read)
    if (read === chunk.byteLength || this.#ended) return
    this.#waiting ??= new GrowingBuffer()
    this.#waiting.append(chunk.subarray(read), this.#services.maxMessageBytes)
  }

  /** Most messages come in one piece: they need no reader. */
  #isWholeMessage(chunk: Buffer): boolean {
    if (this.#reader !== null || this.#held !== 0 || chunk.byteLength < PREFIX_BYTES) return false
    const length = chunk.byteLength - PREFIX_BYTES
    return chunk[0] === 0 && chunk.readUInt32BE(1) === length && length <= this.#services.maxMessageBytes
  }

  #letGo(hold: number): void {
    if ((this.#held & hold) === 0) return
    this.#held &= ~hold
    // A method that holds the next message and lets it go while it is told of one does so amid the reading below.
    if (this.#held !== 0 || this.#ended || this.#readsWaiting) return
    const { length } = this.#waiting ?? { length: 0 }
    if (this.#waiting !== null && this.#reader !== null && length > 0) {
      const waiting = this.#waiting.take()
      this.#readsWaiting = true
      const read = this.#reader.read(waiting)
      this.#readsWaiting = false
      if (read > 0) this.#stream.consumed(read)
      if (read < length && !this.#ended) this.#waiting.append(waiting.subarray(read), length)
    }
    // One of the messages read may be held again.
    if (this.#requestsEnded && !this.isHeld) this.#tellRequestsEnded()
  }

  #inflate(message: Buffer): void {
    this.#held |= HELD_BY_INFLATING
    this.#inflation = this.#services.inflater.inflate(this.connection, message, (inflated) => {
      this.#inflation = null
      if (this.#ended) {
        // Nothing was begun for it, and this was its last work.
        if (!this.#begun) this.release()
        return
      }
      if (inflated === 'too large') this.#tooLarge()
      else if (inflated === 'malformed') {
        this.end(callStatus(StatusCode.INTERNAL, 'A compressed message cannot be inflated.'))
      } else {
        this.#requestCame(inflated, true)
        this.#letGo(HELD_BY_INFLATING)
      }
    })
  }

  #tooLarge(): void {
    const { maxMessageBytes } = this.#services
    this.end(callStatus(StatusCode.RESOURCE_EXHAUSTED, `A message is larger than ${maxMessageBytes} bytes.`))
  }

  #requestCame(message: Buffer, compressed: boolean): void {
    if (this.#ended) return
    if (this.#requests !== null) this.#requests.request(message, compressed)
    else if (this.#request === null) {
      this.#request = message
      this.#requestWasCompressed = compressed
    } else this.end(callStatus(StatusCode.UNIMPLEMENTED, 'The method takes one request, and more were sent.'))
  }

  #requestsOver(): void {
    if (this.#requestsEnded) return
    this.#requestsEnded = true
    this.#receiving?.close()
    this.#receiving = null
    if (!this.#ended && !this.isHeld) this.#tellRequestsEnded()
  }

  #tellRequestsEnded(): void {
    if (this.#ended || this.#endTold || (this.#waiting !== null && this.#waiting.length > 0)) return
    this.#endTold = true
    const method = this.#method
    if (this.#reader?.isAmidMessage) {
      this.end(callStatus(StatusCode.INTERNAL, 'The requests ended amid a message.'))
    } else if (this.#requests !== null) this.#requests.requestsEnded()
    else if (this.#request === null) {
      this.end(callStatus(StatusCode.UNIMPLEMENTED, 'The method takes one request, and none was sent.'))
    } else if (!this.#begun && (method.kind === 'unary' || method.kind === 'serverStream')) {
      const request = this.#request
      // Of a call that lasts, the request need not stay.
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

  /** Nothing more is sent, and nothing more is read. Whoever answers a call that no method has begun releases it. */
  #end(): void {
    this.#ended = true
    this.#clearTimer()
    this.#receiving?.close()
    this.#receiving = null
    this.#waiting = null
    // A message that is not inflated yet need not be; one that is now is waited for.
    if (this.#inflation !== null && this.#services.inflater.withdraw(this.connection, this.#inflation)) {
      this.#inflation = null
    }
    if (!this.#begun && this.#inflation === null) this.release()
  }

  #clearTimer(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
  }
}

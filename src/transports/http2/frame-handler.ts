import type { Http2Application, Http2Connection } from './application.ts'
import { Closed } from './closed-streams.ts'
import { ConnectionError, ErrorCode } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { FrameReader } from './frame-reader.ts'
import { Flag, FrameType } from './frames.ts'
import { HeaderBlock } from './header-block.ts'
import { FieldList } from './header-list.ts'
import { CompressionError } from './hpack/compression-error.ts'
import type { Decoder } from './hpack/decoder.ts'
import type { Http2Limits } from './options.ts'
import { HEADER_LIST_TOO_LONG, NOT_IMPLEMENTED, type Refusal } from './refusals.ts'
import type { Sender } from './sender.ts'
import type { PeerSettings } from './settings.ts'
import type { ServerStream } from './stream.ts'
import type { Streams } from './streams.ts'

/** What is told to a connection of the frames that are about it, and not about a stream. */
export interface FrameListener extends Http2Connection {
  /** The first SETTINGS have come. */
  ready(): void
  /** A PING that was sent here comes back. */
  pingAnswered(payload: number): void
  /** The peer opens no more streams. */
  peerGoesAway(): void
  /** Requests are not taken any more: the peer knows, or will, that they were not (RFC 9113 §6.8). */
  readonly refusesRequests: boolean
}

export interface FrameHandlerParts {
  readonly connection: FrameListener
  readonly application: Http2Application
  readonly limits: Http2Limits
  readonly settings: PeerSettings
  readonly decoder: Decoder
  readonly streams: Streams
  readonly sender: Sender
  readonly flood: FloodGuard
}

const WINDOW_UPDATE_BYTES = 4
const RST_STREAM_BYTES = 4
const PRIORITY_BYTES = 5
const PING_BYTES = 8
const MIN_GOAWAY_BYTES = 8
const RESERVED_BIT = 0x80000000

/** What RFC 9113 §5 and §6 say to do with each frame that comes. */
export class FrameHandler {
  readonly #connection: FrameListener
  readonly #application: Http2Application
  readonly #limits: Http2Limits
  readonly #settings: PeerSettings
  readonly #decoder: Decoder
  readonly #streams: Streams
  readonly #sender: Sender
  readonly #flood: FloodGuard
  #hasSettings = false
  #settingsAreKnown = false
  /** A header block whose rest must come before anything else. */
  #block: HeaderBlock | null = null
  #now = 0
  #began = false

  constructor(parts: FrameHandlerParts) {
    this.#connection = parts.connection
    this.#application = parts.application
    this.#limits = parts.limits
    this.#settings = parts.settings
    this.#decoder = parts.decoder
    this.#streams = parts.streams
    this.#sender = parts.sender
    this.#flood = parts.flood
  }

  /** Whether CONTINUATION is waited for. */
  get awaitsContinuation(): boolean {
    return this.#block !== null
  }

  /**
   * Does what a frame says; `now` is in milliseconds of any clock that never goes back. Answers whether a request began.
   * @throws ConnectionError
   */
  handle(frame: FrameReader, now: number): boolean {
    this.#now = now
    this.#began = false
    if (this.#block !== null && frame.type !== FrameType.CONTINUATION) throw broken('a frame within a header block')
    if (!this.#hasSettings && frame.type !== FrameType.SETTINGS) throw broken('the first frame is not SETTINGS')
    switch (frame.type) {
      case FrameType.DATA:
        this.#data(frame)
        break
      case FrameType.HEADERS:
        this.#headers(frame)
        break
      case FrameType.PRIORITY:
        this.#priority(frame)
        break
      case FrameType.RST_STREAM:
        this.#rstStream(frame)
        break
      case FrameType.SETTINGS:
        this.#peerSettings(frame)
        break
      case FrameType.PUSH_PROMISE:
        throw broken('PUSH_PROMISE by a client')
      case FrameType.PING:
        this.#ping(frame)
        break
      case FrameType.GOAWAY:
        this.#goAway(frame)
        break
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdate(frame)
        break
      case FrameType.CONTINUATION:
        this.#continuation(frame)
        break
      default:
        // §4.1: unknown types are ignored.
        this.#flood.idleFrame(now)
    }
    return this.#began
  }

  /** §6.1. A frame may come in several parts. */
  #data(frame: FrameReader): void {
    if (frame.streamId === 0) throw broken('DATA without a stream')
    if (frame.first) this.#streams.receive(frame.length)
    const bytes = frame.end - frame.start
    const endStream = frame.last && (frame.flags & Flag.END_STREAM) !== 0
    if (frame.first && frame.length === frame.overhead && !endStream) this.#flood.idleFrame(this.#now)
    const stream = this.#streams.get(frame.streamId)
    if (stream === undefined || stream.remoteEnded || (frame.first && !stream.receive(frame.length))) {
      this.#streams.consumed(bytes + (frame.first ? frame.overhead : 0))
      if (stream === undefined) {
        if (frame.first) this.#onClosed(frame.streamId)
      } else this.#refuse(stream, stream.remoteEnded ? ErrorCode.STREAM_CLOSED : ErrorCode.FLOW_CONTROL_ERROR)
      return
    }
    if (frame.first && frame.overhead > 0) stream.skip(frame.overhead)
    if (bytes === 0 && !endStream) return
    if (!stream.content(frame.bytes.subarray(frame.start, frame.end), endStream)) {
      this.#streams.consumed(bytes)
      this.#refuse(stream, ErrorCode.PROTOCOL_ERROR)
    }
  }

  /** §6.2. */
  #headers(frame: FrameReader): void {
    const { streamId, flags, bytes } = frame
    let { start, end } = frame
    if (streamId === 0) throw broken('HEADERS without a stream')
    if (flags & Flag.PADDED) {
      if (start === end) throw wrongSize('HEADERS')
      end -= bytes[start] ?? 0
      start += 1
    }
    let dependsOnItself = false
    if (flags & Flag.PRIORITY) {
      if (frame.end - start < PRIORITY_BYTES) throw wrongSize('HEADERS')
      dependsOnItself = bytes.readUInt32BE(start) % RESERVED_BIT === streamId
      start += PRIORITY_BYTES
    }
    if (start > end) throw broken('more padding than frame')
    if (flags & Flag.END_HEADERS) {
      this.#fields(streamId, flags, dependsOnItself, bytes, start, end)
      return
    }
    this.#block = new HeaderBlock(streamId, flags, dependsOnItself, this.#limits.maxHeaderBlockBytes)
    this.#block.begin(bytes, start, end)
  }

  /** §6.10. */
  #continuation({ streamId, flags, bytes, start, end }: FrameReader): void {
    const block = this.#block
    if (block === null) throw broken('CONTINUATION without HEADERS')
    if (!block.continue(streamId, flags, bytes, start, end)) return
    this.#block = null
    const whole = block.whole()
    this.#fields(streamId, block.flags, block.dependsOnItself, whole, 0, whole.length)
  }

  /** A whole header block, which must be decoded whatever becomes of it: the tables of both sides would differ else. */
  #fields(id: number, flags: number, dependsOnItself: boolean, bytes: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id)
    const list = new FieldList(stream !== undefined, this.#limits.maxHeaderListBytes)
    try {
      this.#decoder.decode(bytes, start, end, list)
    } catch (error) {
      if (error instanceof CompressionError) throw new ConnectionError(ErrorCode.COMPRESSION_ERROR, error.message)
      throw error
    }
    const endStream = (flags & Flag.END_STREAM) !== 0
    if (stream !== undefined) this.#trailers(stream, list, endStream)
    else if (id % 2 === 0) throw broken('a stream of a client has an odd number')
    else if (id <= this.#streams.lastId) this.#headersOnClosed(id)
    else this.#request(id, list, endStream, dependsOnItself)
  }

  /** §8.1: a second header block ends a request. */
  #trailers(stream: ServerStream, list: FieldList, endStream: boolean): void {
    if (stream.remoteEnded) this.#refuse(stream, ErrorCode.STREAM_CLOSED)
    else if (!endStream || list.tooLong || !list.isWellFormed()) this.#refuse(stream, ErrorCode.PROTOCOL_ERROR)
    else if (!stream.trailed(list)) this.#refuse(stream, ErrorCode.PROTOCOL_ERROR)
  }

  /** §5.1.1: a new stream, unless something forbids it. */
  #request(id: number, list: FieldList, endStream: boolean, dependsOnItself: boolean): void {
    const streams = this.#streams
    streams.lastId = id
    if (this.#connection.refusesRequests) {
      streams.skip(id)
      return
    }
    if (this.#isFull()) {
      this.#skip(id, ErrorCode.REFUSED_STREAM)
      return
    }
    const wellFormed = list.tooLong || (list.isWellFormed() && !(endStream && list.contentLength > 0))
    if (dependsOnItself || !wellFormed) {
      this.#skip(id, ErrorCode.PROTOCOL_ERROR)
      return
    }
    if (list.tooLong) this.#answer(id, list, HEADER_LIST_TOO_LONG, endStream)
    else if (list.method === 'CONNECT') this.#answer(id, list, NOT_IMPLEMENTED, endStream)
    else this.#begin(id, list, endStream)
  }

  /** Whether the requests there are take up all that a connection may. */
  #isFull(): boolean {
    const { maxConcurrentStreams, maxHeaderBytes, maxPendingBytes } = this.#limits
    return (
      this.#streams.count >= maxConcurrentStreams ||
      this.#streams.headerBytes > maxHeaderBytes ||
      this.#sender.waitingBytes > maxPendingBytes
    )
  }

  #begin(id: number, list: FieldList, endStream: boolean): void {
    const stream = this.#streams.open(id, this.#settings.windowBytes, list)
    if (endStream) stream.endWithHeaders()
    this.#began = true
    stream.handle(this.#application.request(stream, list, endStream))
  }

  /** A request that the application is not asked about. */
  #answer(id: number, list: FieldList, refusal: Refusal, endStream: boolean): void {
    this.#flood.streamReset(this.#now)
    const stream = this.#streams.open(id, this.#settings.windowBytes, list)
    if (endStream) stream.endWithHeaders()
    stream.respond(refusal.headers, refusal.content, null)
    stream.released()
  }

  /** §6.3: PRIORITY is checked, and ignored (§5.3.2). */
  #priority({ streamId, bytes, start, length }: FrameReader): void {
    if (streamId === 0) throw broken('PRIORITY without a stream')
    this.#flood.idleFrame(this.#now)
    const stream = this.#streams.get(streamId)
    if (length !== PRIORITY_BYTES) {
      if (stream === undefined) throw wrongSize('PRIORITY')
      this.#refuse(stream, ErrorCode.FRAME_SIZE_ERROR)
    } else if (bytes.readUInt32BE(start) % RESERVED_BIT === streamId) {
      if (stream === undefined) throw broken('a stream that depends on itself')
      this.#refuse(stream, ErrorCode.PROTOCOL_ERROR)
    }
  }

  /** §6.4. */
  #rstStream({ streamId, bytes, start, length }: FrameReader): void {
    if (streamId === 0) throw broken('RST_STREAM without a stream')
    if (length !== RST_STREAM_BYTES) throw wrongSize('RST_STREAM')
    this.#refuseIdle(streamId)
    const stream = this.#streams.get(streamId)
    if (stream === undefined) {
      this.#flood.idleFrame(this.#now)
      return
    }
    stream.abort(bytes.readUInt32BE(start), Closed.BY_PEER)
    this.#flood.streamReset(this.#now)
  }

  /** §6.5. */
  #peerSettings({ streamId, flags, bytes, start, end }: FrameReader): void {
    if (streamId !== 0) throw broken('SETTINGS of a stream')
    if (flags & Flag.ACK) {
      if (end > start) throw wrongSize('SETTINGS')
      if (!this.#hasSettings) throw broken('the first frame is not SETTINGS')
      this.#settingsAcknowledged()
      return
    }
    this.#flood.settings(this.#now)
    const window = this.#settings.windowBytes
    this.#settings.update(bytes, start, end)
    // §6.5.3: acknowledged before anything is sent that follows from them.
    this.#sender.acknowledgeSettings()
    this.#sender.settingsChanged()
    if (this.#settings.windowBytes !== window) this.#streams.widenAll(this.#settings.windowBytes - window)
    if (this.#hasSettings) return
    this.#hasSettings = true
    this.#connection.ready()
  }

  /** §6.5.3: from now on the peer keeps to what was sent to it. */
  #settingsAcknowledged(): void {
    if (this.#settingsAreKnown) {
      this.#flood.idleFrame(this.#now)
      return
    }
    this.#settingsAreKnown = true
    this.#streams.resizeReceiveWindows(this.#limits.streamWindowBytes)
    this.#decoder.setMaxTableBytes(this.#limits.headerTableBytes)
  }

  /** §6.7. */
  #ping({ streamId, flags, bytes, start, length }: FrameReader): void {
    if (streamId !== 0) throw broken('PING of a stream')
    if (length !== PING_BYTES) throw wrongSize('PING')
    if (flags & Flag.ACK) {
      this.#flood.idleFrame(this.#now)
      this.#connection.pingAnswered(bytes.readUInt32BE(start + 4))
      return
    }
    if (!this.#flood.ping(this.#now)) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings')
    this.#sender.acknowledgePing(bytes, start)
  }

  /** §6.8. */
  #goAway({ streamId, length }: FrameReader): void {
    if (streamId !== 0) throw broken('GOAWAY of a stream')
    if (length < MIN_GOAWAY_BYTES) throw wrongSize('GOAWAY')
    this.#flood.idleFrame(this.#now)
    this.#connection.peerGoesAway()
  }

  /** §6.9. */
  #windowUpdate({ streamId, bytes, start, length }: FrameReader): void {
    if (length !== WINDOW_UPDATE_BYTES) throw wrongSize('WINDOW_UPDATE')
    this.#flood.idleFrame(this.#now)
    const increment = bytes.readUInt32BE(start) % RESERVED_BIT
    if (streamId === 0) {
      if (increment === 0) throw broken('WINDOW_UPDATE by nothing')
      if (this.#sender.widen(increment)) return
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window of 2^31 or more')
    }
    this.#refuseIdle(streamId)
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    if (increment === 0) this.#refuse(stream, ErrorCode.PROTOCOL_ERROR)
    else if (!stream.widen(increment)) this.#refuse(stream, ErrorCode.FLOW_CONTROL_ERROR)
  }

  /** §5.1: a frame that needs an open stream, on one that is none. */
  #onClosed(streamId: number): void {
    this.#refuseIdle(streamId)
    if (this.#streams.howEnded(streamId) === Closed.BY_RESET) this.#flood.idleFrame(this.#now)
    else this.#skip(streamId, ErrorCode.STREAM_CLOSED)
  }

  /** §5.1 and §5.1.1: the peer may not have known that it was reset here; else numbers only increase. */
  #headersOnClosed(streamId: number): void {
    const how = this.#streams.howEnded(streamId)
    if (how === Closed.UNKNOWN) throw broken('the number of a stream is lower than that of another')
    if (how === Closed.BY_PEER) throw new ConnectionError(ErrorCode.STREAM_CLOSED, 'HEADERS on a stream that has ended')
    this.#flood.idleFrame(this.#now)
  }

  /** §5.1: nothing but HEADERS and PRIORITY may come on a stream that nobody opened. */
  #refuseIdle(streamId: number): void {
    if (streamId > this.#streams.lastId || streamId % 2 === 0) throw broken('a frame of a stream that is idle')
  }

  /** RST_STREAM on a stream whose handler is told. */
  #refuse(stream: ServerStream, code: ErrorCode): void {
    stream.refuse(code)
    this.#flood.streamReset(this.#now)
  }

  /** RST_STREAM on one that has no handler. */
  #skip(streamId: number, code: ErrorCode): void {
    this.#flood.streamReset(this.#now)
    this.#streams.skip(streamId)
    this.#sender.reset(streamId, code)
  }
}

function broken(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, what)
}

function wrongSize(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${what} of the wrong size`)
}

import { Closed } from './closed-streams.ts'
import { broken, ConnectionError, ErrorCode, wrongSize } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { FrameReader } from './frame-reader.ts'
import {
  Flag,
  FrameType,
  GOAWAY_BYTES,
  PING_BYTES,
  PRIORITY_BYTES,
  RESERVED_BIT,
  RST_STREAM_BYTES,
  WINDOW_UPDATE_BYTES,
} from './frames.ts'
import type { HeaderFrames } from './header-frames.ts'
import type { Decoder } from './hpack/decoder.ts'
import type { Http2Limits } from './options.ts'
import type { Sender } from './sender.ts'
import type { PeerSettings } from './settings.ts'
import type { Streams } from './streams.ts'

/** Gets the frames that concern the connection and not a stream. */
export interface FrameListener {
  /** The first SETTINGS have arrived. */
  ready(): void
  /** The peer acknowledged a PING. */
  pingAnswered(payload: number): void
  /** The peer opens no more streams. */
  peerGoesAway(): void
}

export interface FrameHandlerParts {
  readonly connection: FrameListener
  readonly headers: HeaderFrames
  readonly limits: Http2Limits
  readonly settings: PeerSettings
  readonly decoder: Decoder
  readonly streams: Streams
  readonly sender: Sender
  readonly flood: FloodGuard
}

/** Handles each received frame by the rules of RFC 9113 §5 and §6. */
export class FrameHandler {
  readonly #connection: FrameListener
  readonly #headers: HeaderFrames
  readonly #limits: Http2Limits
  readonly #settings: PeerSettings
  readonly #decoder: Decoder
  readonly #streams: Streams
  readonly #sender: Sender
  readonly #flood: FloodGuard
  #hasSettings = false
  #settingsAreKnown = false

  constructor(parts: FrameHandlerParts) {
    this.#connection = parts.connection
    this.#headers = parts.headers
    this.#limits = parts.limits
    this.#settings = parts.settings
    this.#decoder = parts.decoder
    this.#streams = parts.streams
    this.#sender = parts.sender
    this.#flood = parts.flood
  }

  /** Processes a frame. @throws ConnectionError */
  handle(frame: FrameReader): void {
    if (this.#headers.awaitsContinuation && frame.type !== FrameType.CONTINUATION)
      throw broken('a frame within a header block')
    if (!this.#hasSettings && frame.type !== FrameType.SETTINGS) throw broken('the first frame is not SETTINGS')
    switch (frame.type) {
      case FrameType.DATA:
        this.#data(frame)
        break
      case FrameType.HEADERS:
        this.#headers.begin(frame)
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
        this.#headers.continue(frame)
        break
      default:
        // §4.1: unknown types are ignored.
        this.#flood.idleFrame()
    }
  }

  /** §6.1. A frame may arrive in several parts. */
  #data(frame: FrameReader): void {
    if (frame.streamId === 0) throw broken('DATA without a stream')
    if (frame.first) this.#streams.receive(frame.length)
    const bytes = frame.end - frame.start
    const endStream = frame.last && (frame.flags & Flag.END_STREAM) !== 0
    if (frame.first && frame.length === frame.overhead && !endStream) this.#flood.idleFrame()
    const stream = this.#streams.get(frame.streamId)
    if (stream === undefined || stream.remoteEnded || (frame.first && !stream.receive(frame.length))) {
      this.#streams.consumed(bytes + (frame.first ? frame.overhead : 0))
      if (stream === undefined) {
        if (frame.first) this.#onClosed(frame.streamId)
      } else this.#streams.refuse(stream, stream.remoteEnded ? ErrorCode.STREAM_CLOSED : ErrorCode.FLOW_CONTROL_ERROR)
      return
    }
    if (frame.first && frame.overhead > 0) stream.skip(frame.overhead)
    if (bytes === 0 && !endStream) return
    if (!stream.content(frame.bytes.subarray(frame.start, frame.end), endStream)) {
      this.#streams.consumed(bytes)
      this.#streams.refuse(stream, ErrorCode.PROTOCOL_ERROR)
    }
  }

  /** §6.3: PRIORITY is validated and ignored (§5.3.2). */
  #priority({ streamId, bytes, start, length }: FrameReader): void {
    if (streamId === 0) throw broken('PRIORITY without a stream')
    this.#flood.idleFrame()
    const stream = this.#streams.get(streamId)
    if (length !== PRIORITY_BYTES) {
      if (stream === undefined) throw wrongSize('PRIORITY')
      this.#streams.refuse(stream, ErrorCode.FRAME_SIZE_ERROR)
    } else if (bytes.readUInt32BE(start) % RESERVED_BIT === streamId) {
      if (stream === undefined) throw broken('a stream that depends on itself')
      this.#streams.refuse(stream, ErrorCode.PROTOCOL_ERROR)
    }
  }

  /** §6.4. */
  #rstStream({ streamId, bytes, start, length }: FrameReader): void {
    if (streamId === 0) throw broken('RST_STREAM without a stream')
    if (length !== RST_STREAM_BYTES) throw wrongSize('RST_STREAM')
    this.#refuseIdle(streamId)
    const stream = this.#streams.get(streamId)
    if (stream === undefined) {
      this.#flood.idleFrame()
      return
    }
    stream.abort(bytes.readUInt32BE(start), Closed.BY_PEER)
    this.#flood.streamReset()
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
    this.#flood.settings()
    const window = this.#settings.windowBytes
    this.#settings.update(bytes, start, end)
    // §6.5.3: acknowledged before any frame that depends on them is sent.
    this.#sender.acknowledgeSettings()
    this.#sender.settingsChanged()
    if (this.#settings.windowBytes !== window) this.#streams.widenAll(this.#settings.windowBytes - window)
    if (this.#hasSettings) return
    this.#hasSettings = true
    this.#connection.ready()
  }

  /** §6.5.3: from now on, the peer complies with the SETTINGS that were sent to it. */
  #settingsAcknowledged(): void {
    if (this.#settingsAreKnown) {
      this.#flood.idleFrame()
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
      this.#flood.idleFrame()
      this.#connection.pingAnswered(bytes.readUInt32BE(start + 4))
      return
    }
    if (!this.#flood.ping()) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings')
    this.#sender.acknowledgePing(bytes, start)
  }

  /** §6.8. */
  #goAway({ streamId, length }: FrameReader): void {
    if (streamId !== 0) throw broken('GOAWAY of a stream')
    if (length < GOAWAY_BYTES) throw wrongSize('GOAWAY')
    this.#flood.idleFrame()
    this.#connection.peerGoesAway()
  }

  /** §6.9. */
  #windowUpdate({ streamId, bytes, start, length }: FrameReader): void {
    if (length !== WINDOW_UPDATE_BYTES) throw wrongSize('WINDOW_UPDATE')
    this.#flood.idleFrame()
    const increment = bytes.readUInt32BE(start) % RESERVED_BIT
    if (streamId === 0) {
      if (increment === 0) throw broken('WINDOW_UPDATE by nothing')
      if (this.#sender.widen(increment)) return
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window of 2^31 or more')
    }
    this.#refuseIdle(streamId)
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    if (increment === 0) this.#streams.refuse(stream, ErrorCode.PROTOCOL_ERROR)
    else if (!stream.widen(increment)) this.#streams.refuse(stream, ErrorCode.FLOW_CONTROL_ERROR)
  }

  /** §5.1: a frame that requires an open stream came on a stream that is not open. */
  #onClosed(streamId: number): void {
    this.#refuseIdle(streamId)
    if (this.#streams.howEnded(streamId) === Closed.BY_RESET) this.#flood.idleFrame()
    else this.#streams.reject(streamId, ErrorCode.STREAM_CLOSED)
  }

  /** §5.1: only HEADERS and PRIORITY may come on an idle stream. */
  #refuseIdle(streamId: number): void {
    if (streamId > this.#streams.lastId || streamId % 2 === 0) throw broken('a frame of a stream that is idle')
  }
}

import type { Http2Application } from './application.ts'
import { Closed } from './closed-streams.ts'
import { broken, ConnectionError, ErrorCode, wrongSize } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import type { FrameReader } from './frame-reader.ts'
import { Flag, PRIORITY_BYTES, RESERVED_BIT } from './frames.ts'
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

/** The dependencies for the processing of header blocks. */
export interface HeaderFramesParts {
  readonly application: Http2Application
  readonly limits: Http2Limits
  readonly settings: PeerSettings
  readonly decoder: Decoder
  readonly streams: Streams
  readonly sender: Sender
  readonly flood: FloodGuard
}

/** Processes HEADERS and CONTINUATION, which begin and end requests. */
export class HeaderFrames {
  /** No more requests are accepted. The peer learns by GOAWAY that they were not processed (RFC 9113 §6.8). */
  refusesRequests = false
  /** The number of requests that were passed to the application. */
  requests = 0
  /** The number of header blocks that arrived in several frames. */
  longBlocks = 0
  readonly #application: Http2Application
  readonly #limits: Http2Limits
  readonly #settings: PeerSettings
  readonly #decoder: Decoder
  readonly #streams: Streams
  readonly #sender: Sender
  readonly #flood: FloodGuard
  /** An incomplete header block. Its rest must arrive before any other frame. */
  #block: HeaderBlock | null = null

  constructor(parts: HeaderFramesParts) {
    this.#application = parts.application
    this.#limits = parts.limits
    this.#settings = parts.settings
    this.#decoder = parts.decoder
    this.#streams = parts.streams
    this.#sender = parts.sender
    this.#flood = parts.flood
  }

  /** Whether the next frame must be CONTINUATION. */
  get awaitsContinuation(): boolean {
    return this.#block !== null
  }

  /** §6.2: HEADERS. */
  begin(frame: FrameReader): void {
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
    this.longBlocks += 1
    this.#block = new HeaderBlock(streamId, flags, dependsOnItself, this.#limits.maxHeaderBlockBytes)
    this.#block.begin(bytes, start, end)
  }

  /** §6.10: CONTINUATION. */
  continue({ streamId, flags, bytes, start, end }: FrameReader): void {
    const block = this.#block
    if (block === null) throw broken('CONTINUATION without HEADERS')
    if (!block.continue(streamId, flags, bytes, start, end)) return
    this.#block = null
    const whole = block.whole()
    this.#fields(streamId, block.flags, block.dependsOnItself, whole, 0, whole.length)
  }

  /**
   * Processes a complete header block. It must be decoded in any case, because the dynamic tables of both sides would
   * otherwise differ.
   */
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
    if (stream.remoteEnded) this.#streams.refuse(stream, ErrorCode.STREAM_CLOSED)
    else if (!endStream || list.tooLong || !list.isWellFormed()) this.#streams.refuse(stream, ErrorCode.PROTOCOL_ERROR)
    else if (!stream.trailed(list)) this.#streams.refuse(stream, ErrorCode.PROTOCOL_ERROR)
  }

  /** §5.1.1: opens a new stream, unless it is refused. */
  #request(id: number, list: FieldList, endStream: boolean, dependsOnItself: boolean): void {
    const streams = this.#streams
    streams.lastId = id
    if (this.refusesRequests) {
      streams.skip(id)
      return
    }
    if (this.#isFull()) {
      streams.reject(id, ErrorCode.REFUSED_STREAM)
      return
    }
    const wellFormed = list.tooLong || (list.isWellFormed() && !(endStream && list.contentLength > 0))
    if (dependsOnItself || !wellFormed) {
      this.#explain(id, list)
      streams.reject(id, ErrorCode.PROTOCOL_ERROR)
      return
    }
    if (list.tooLong) this.#answer(id, list, HEADER_LIST_TOO_LONG, endStream)
    else if (list.method === 'CONNECT') this.#answer(id, list, NOT_IMPLEMENTED, endStream)
    else this.#open(id, list, endStream)
  }

  /** §8.1.1: a malformed request may be answered before its stream is reset. */
  #explain(id: number, list: FieldList): void {
    if (list.malformedField === null) return
    const block = this.#application.malformed?.(list, list.malformedField) ?? null
    if (block !== null) this.#sender.headers(id, block, true)
  }

  /** Whether the open requests use up a limit of the connection. */
  #isFull(): boolean {
    const { maxConcurrentStreams, maxHeaderBytes, maxPendingBytes } = this.#limits
    return (
      this.#streams.count >= maxConcurrentStreams ||
      this.#streams.headerBytes > maxHeaderBytes ||
      this.#sender.waitingBytes > maxPendingBytes
    )
  }

  #open(id: number, list: FieldList, endStream: boolean): void {
    const stream = this.#streams.open(id, this.#settings.windowBytes, list)
    if (endStream) stream.endWithHeaders()
    this.requests += 1
    stream.handle(this.#application.request(stream, list, endStream))
  }

  /** Answers a request without asking the application. */
  #answer(id: number, list: FieldList, refusal: Refusal, endStream: boolean): void {
    this.#flood.streamReset()
    const stream = this.#streams.open(id, this.#settings.windowBytes, list)
    if (endStream) stream.endWithHeaders()
    stream.respond(refusal.headers, refusal.content, null)
    stream.released()
  }

  /**
   * §5.1 and §5.1.1: the peer may have sent the frame before it received a reset from here. In all other cases, stream
   * numbers must increase.
   */
  #headersOnClosed(streamId: number): void {
    const how = this.#streams.howEnded(streamId)
    if (how === Closed.UNKNOWN) throw broken('the number of a stream is lower than that of another')
    if (how === Closed.BY_PEER) throw new ConnectionError(ErrorCode.STREAM_CLOSED, 'HEADERS on a stream that has ended')
    this.#flood.idleFrame()
  }
}

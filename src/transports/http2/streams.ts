import type { Http2Connection } from './application.ts'
import { Closed, ClosedStreams } from './closed-streams.ts'
import { ConnectionError, ErrorCode } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import { INITIAL_WINDOW_BYTES } from './frames.ts'
import type { FieldList } from './header-list.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Sender } from './sender.ts'
import { ServerStream, type StreamOwner } from './stream.ts'

/** The streams of a connection: the open ones, how the last ones ended, and their shared window. */
export class Streams implements StreamOwner {
  readonly connection: Http2Connection
  readonly sender: Sender
  /** The highest stream number of a request. */
  lastId = 0
  /** The number of streams whose handlers have not ended. */
  count = 0
  /** The size of the header lists of these streams. */
  headerBytes = 0
  readonly #flood: FloodGuard
  readonly #onEmpty: () => void
  readonly #open = new Map<number, ServerStream>()
  readonly #closed = new ClosedStreams()
  readonly #window: ReceiveWindow
  /** The receive window of new streams. */
  #receiveWindow = INITIAL_WINDOW_BYTES

  /** `onEmpty` is called when the last stream and its handler have ended. */
  constructor(
    connection: Http2Connection,
    sender: Sender,
    flood: FloodGuard,
    windowBytes: number,
    onEmpty: () => void,
  ) {
    this.connection = connection
    this.sender = sender
    this.#flood = flood
    this.#window = new ReceiveWindow(windowBytes)
    this.#onEmpty = onEmpty
  }

  get(streamId: number): ServerStream | undefined {
    return this.#open.get(streamId)
  }

  open(streamId: number, sendWindow: number, { bytes, contentLength }: FieldList): ServerStream {
    const stream = new ServerStream(streamId, this, sendWindow, this.#receiveWindow, contentLength, bytes)
    this.#open.set(streamId, stream)
    this.count += 1
    this.headerBytes += bytes
    return stream
  }

  /** A stream that was not opened. Its frames are ignored. */
  skip(streamId: number): void {
    this.#closed.add(streamId, Closed.BY_RESET)
  }

  /** Sends RST_STREAM on a stream that is not open, or was not opened. @throws ConnectionError of a flood */
  reject(streamId: number, code: ErrorCode): void {
    this.#flood.streamReset()
    this.skip(streamId)
    this.sender.reset(streamId, code)
  }

  /** Sends RST_STREAM because of frames of the peer, and informs the handler. @throws ConnectionError of a flood */
  refuse(stream: ServerStream, code: ErrorCode): void {
    stream.refuse(code)
    this.#flood.streamReset()
  }

  /** One of `Closed`. */
  howEnded(streamId: number): number {
    return this.#closed.howEnded(streamId)
  }

  /** A DATA frame arrived on any stream. @throws ConnectionError */
  receive(bytes: number): void {
    if (!this.#window.receive(bytes)) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'more content than the window of the connection')
    }
  }

  consumed(bytes: number): void {
    const credit = this.#window.consume(bytes)
    if (credit > 0) this.sender.windowUpdate(0, credit)
  }

  /** The peer has acknowledged the window size for requests. */
  resizeReceiveWindows(bytes: number): void {
    this.#receiveWindow = bytes
    for (const stream of this.#open.values()) stream.resizeWindow(bytes)
  }

  /** RFC 9113 §6.9.2: the peer changed the windows of all answers. @throws ConnectionError */
  widenAll(difference: number): void {
    for (const stream of this.#open.values()) {
      if (!stream.widen(difference)) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a window of 2^31 or more')
    }
  }

  /** Nothing was sent for a while. Sends the waiting content in pieces as small as the windows allow. */
  sendSmallPieces(): void {
    for (const stream of this.#open.values()) {
      if (stream.waitingBytes > 0 && stream.sendWindow > 0) this.sender.ready(stream)
    }
    this.sender.pump(true)
  }

  /** Aborts all streams. */
  abort(code: number): void {
    for (const stream of this.#open.values()) stream.abort(code, Closed.BY_PEER)
  }

  ended(stream: ServerStream, how: number): void {
    this.#open.delete(stream.id)
    this.#closed.add(stream.id, how)
  }

  gone(stream: ServerStream, answered: boolean): void {
    this.count -= 1
    this.headerBytes -= stream.headerBytes
    if (answered) this.#flood.answered()
    if (this.count === 0) this.#onEmpty()
  }
}

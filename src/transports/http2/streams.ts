import type { Http2Connection } from './application.ts'
import { Closed, ClosedStreams } from './closed-streams.ts'
import { ConnectionError, ErrorCode } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import { INITIAL_WINDOW_BYTES } from './frames.ts'
import type { FieldList } from './header-list.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Sender } from './sender.ts'
import { ServerStream, type StreamOwner } from './stream.ts'

/** The streams of a connection: those that are open, how the last ones ended, and the window that they share. */
export class Streams implements StreamOwner {
  readonly connection: Http2Connection
  readonly sender: Sender
  /** The highest number that a request came with. */
  lastId = 0
  /** Those whose handlers have not ended. */
  count = 0
  /** The header lists of those. */
  headerBytes = 0
  readonly #flood: FloodGuard
  readonly #onEmpty: () => void
  readonly #open = new Map<number, ServerStream>()
  readonly #closed = new ClosedStreams()
  readonly #window: ReceiveWindow
  /** Of new streams. */
  #receiveWindow = INITIAL_WINDOW_BYTES

  /** `onEmpty` is called when the last stream has ended, and its handler. */
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

  /** A stream that does not come to be. What comes on it is ignored. */
  skip(streamId: number): void {
    this.#closed.add(streamId, Closed.BY_RESET)
  }

  /** RST_STREAM on a stream that is not open, or does not come to be. @throws ConnectionError of a flood */
  reject(streamId: number, code: ErrorCode): void {
    this.#flood.streamReset()
    this.skip(streamId)
    this.sender.reset(streamId, code)
  }

  /** RST_STREAM for what the peer sent on a stream, whose handler is told. @throws ConnectionError of a flood */
  refuse(stream: ServerStream, code: ErrorCode): void {
    stream.refuse(code)
    this.#flood.streamReset()
  }

  /** One of `Closed`. */
  howEnded(streamId: number): number {
    return this.#closed.howEnded(streamId)
  }

  /** A frame of DATA came, on whichever stream. @throws ConnectionError */
  receive(bytes: number): void {
    if (!this.#window.receive(bytes)) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'more content than the window of the connection')
    }
  }

  consumed(bytes: number): void {
    const credit = this.#window.consume(bytes)
    if (credit > 0) this.sender.windowUpdate(0, credit)
  }

  /** The peer knows how large the windows of requests are. */
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

  /** Nothing has been sent for a while: what waits is sent in pieces as small as windows let pass. */
  sendSmallPieces(): void {
    for (const stream of this.#open.values()) {
      if (stream.waitingBytes > 0 && stream.sendWindow > 0) this.sender.ready(stream)
    }
    this.sender.pump(true)
  }

  /** Aborts all. */
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

import type { ErrorCode } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import { Flag, FrameType, INITIAL_WINDOW_BYTES, MAX_31_BITS, MAX_FRAME_BYTES } from './frames.ts'
import { INITIAL_TABLE_BYTES } from './hpack/decoder.ts'
import { NO_TABLE_UPDATE } from './hpack/encoder.ts'
import type { PeerSettings } from './settings.ts'
import type { SocketWriter } from './socket-writer.ts'

/** A stream whose content waits for flow control. */
export interface WaitingStream {
  /** The number of bytes that the stream's own window allows. */
  readonly sendWindow: number
  readonly waitingBytes: number
  /** Sends one frame of this size. */
  sendWaiting(bytes: number): void
}

/**
 * Content that exceeds a window waits until the window allows this many bytes, or half of the initial size of the peer's
 * windows. Otherwise, a peer that gives credit for each frame would get smaller and smaller frames (silly window syndrome,
 * RFC 1122 §4.2.3.4).
 */
const WORTHWHILE_BYTES = 4096

/**
 * Sends the headers and content of all streams of one connection. The windows of the peer (RFC 9113 §5.2) and the socket
 * limit the content. Waiting streams take turns, one frame each.
 */
export class Sender {
  /** The size of the waiting content of all streams. */
  waitingBytes = 0
  /** Counts progress in sending, so that a peer that accepts nothing is detected. */
  progress = 0
  readonly writer: SocketWriter
  readonly #settings: PeerSettings
  readonly #flood: FloodGuard
  readonly #socketBufferBytes: number
  #window = INITIAL_WINDOW_BYTES
  /** The waiting streams whose own windows are open. */
  readonly #ready = new Set<WaitingStream>()
  /** RFC 7541 §4.2: a peer that allows a smaller dynamic table gets an update to size 0. */
  #tableUpdate = -1

  constructor(writer: SocketWriter, settings: PeerSettings, flood: FloodGuard, socketBufferBytes: number) {
    this.writer = writer
    this.#settings = settings
    this.#flood = flood
    this.#socketBufferBytes = socketBufferBytes
  }

  headers(streamId: number, block: Uint8Array, endStream: boolean): void {
    this.writer.frames.headers(streamId, block, endStream, this.#settings.maxFrameBytes, this.#tableUpdate)
    this.#tableUpdate = -1
    this.#flood.sent()
    this.writer.schedule()
  }

  /** Whether this many bytes can be sent now as one frame on a stream with this window. */
  lets(bytes: number, streamWindow: number): boolean {
    return (
      bytes === 0 ||
      (bytes <= streamWindow &&
        bytes <= this.#window &&
        bytes <= MAX_FRAME_BYTES &&
        this.#ready.size === 0 &&
        this.writer.waitingBytes < this.#socketBufferBytes)
    )
  }

  /** Writes the header of a DATA frame. The caller adds the content by `content`. */
  data(streamId: number, bytes: number, endStream: boolean, leavesContent: boolean): void {
    this.#window -= bytes
    this.progress += 1
    if (bytes >= WORTHWHILE_BYTES || !leavesContent) this.#flood.sent()
    this.writer.frames.frame(FrameType.DATA, endStream ? Flag.END_STREAM : 0, streamId, bytes)
    this.writer.schedule()
  }

  content(part: Uint8Array, start: number, end: number): void {
    this.writer.frames.payload(part, start, end)
  }

  reset(streamId: number, code: ErrorCode): void {
    this.writer.frames.rstStream(streamId, code)
    this.writer.schedule()
  }

  windowUpdate(streamId: number, increment: number): void {
    this.writer.frames.windowUpdate(streamId, increment)
    this.writer.schedule()
  }

  acknowledgeSettings(): void {
    this.writer.frames.settingsAck()
    this.writer.schedule()
  }

  acknowledgePing(bytes: Buffer, start: number): void {
    this.writer.frames.pingAck(bytes, start)
    this.writer.schedule()
  }

  /** The stream has waiting content and an open window. Its turn is the next `pump`. */
  ready(stream: WaitingStream): void {
    this.#ready.add(stream)
  }

  /** The content of a stream was dropped, or completely sent. */
  forget(stream: WaitingStream): void {
    this.#ready.delete(stream)
  }

  /** Returns false if the window would become too large (RFC 9113 §6.9.1). */
  widen(increment: number): boolean {
    if (this.#window + increment > MAX_31_BITS) return false
    this.#window += increment
    this.pump()
    return true
  }

  /** The peer's SETTINGS changed. */
  settingsChanged(): void {
    if (this.#settings.headerTableBytes < INITIAL_TABLE_BYTES) this.#tableUpdate = NO_TABLE_UPDATE
  }

  /** The socket has accepted the data. */
  taken(): void {
    this.progress += 1
    this.pump()
  }

  /**
   * Sends content that the windows and the socket allow if it is large enough for a frame. After a long wait, small pieces
   * are sent too.
   */
  pump(waitedLong = false): void {
    const half = Math.floor(this.#settings.windowBytes / 2)
    const least = waitedLong ? 1 : Math.max(1, Math.min(WORTHWHILE_BYTES, half))
    // A stream that is added again comes after all others.
    for (const stream of this.#ready) {
      const bytes = Math.min(stream.waitingBytes, this.#window, MAX_FRAME_BYTES)
      if ((bytes < stream.waitingBytes && bytes < least) || this.writer.waitingBytes >= this.#socketBufferBytes) return
      this.#ready.delete(stream)
      const passing = Math.min(bytes, stream.sendWindow)
      if (passing < stream.waitingBytes && passing < least) continue
      stream.sendWaiting(passing)
      if (stream.waitingBytes > 0 && stream.sendWindow > 0) this.#ready.add(stream)
    }
  }
}

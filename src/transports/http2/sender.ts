import type { ErrorCode } from './error-codes.ts'
import type { FloodGuard } from './flood-guard.ts'
import { Flag, FrameType, INITIAL_WINDOW_BYTES, MAX_31_BITS, MAX_FRAME_BYTES } from './frames.ts'
import { INITIAL_TABLE_BYTES } from './hpack/decoder.ts'
import { NO_TABLE_UPDATE } from './hpack/encoder.ts'
import type { PeerSettings } from './settings.ts'
import type { SocketWriter } from './socket-writer.ts'

/** A stream whose content waits for flow control. */
export interface WaitingStream {
  /** What its own window lets pass. */
  readonly sendWindow: number
  readonly waitingBytes: number
  /** Sends one frame of at most so many bytes. */
  sendWaiting(maxBytes: number): void
}

/** A frame of fewer bytes that leaves content behind is one that the peer's small window asked for. */
const WORTHWHILE_BYTES = 1024

/**
 * Sends headers and content of the streams of one connection. Content passes as far as the windows of the peer (RFC 9113
 * §5.2) and the socket let it. Streams that wait take turns, a frame each.
 */
export class Sender {
  /** What waits in all streams. */
  waitingBytes = 0
  /** Counts what was sent and taken, so that a peer that takes nothing is noticed. */
  progress = 0
  readonly writer: SocketWriter
  readonly #settings: PeerSettings
  readonly #flood: FloodGuard
  readonly #socketBufferBytes: number
  #window = INITIAL_WINDOW_BYTES
  /** Those whose own windows are open. */
  readonly #ready = new Set<WaitingStream>()
  /** RFC 7541 §4.2: a peer that allows a smaller dynamic table is told that there is none. */
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

  /** Whether so many bytes can be sent at once as one frame on a stream with such a window. */
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

  /** The header of a frame of content, which the caller adds by `content`. */
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

  /** The content of a stream waits, and its window is open. */
  ready(stream: WaitingStream): void {
    this.#ready.add(stream)
    this.pump()
  }

  /** The content of a stream is dropped, or all sent. */
  forget(stream: WaitingStream): void {
    this.#ready.delete(stream)
  }

  /** Answers false where the window would be too large (RFC 9113 §6.9.1). */
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

  /** The socket took what it had been given. */
  taken(): void {
    this.progress += 1
    this.pump()
  }

  /** Sends what windows and socket let pass. */
  pump(): void {
    // A stream that is added again comes after all others.
    for (const stream of this.#ready) {
      if (this.#window <= 0 || this.writer.waitingBytes >= this.#socketBufferBytes) return
      this.#ready.delete(stream)
      stream.sendWaiting(Math.min(this.#window, MAX_FRAME_BYTES))
      if (stream.waitingBytes > 0 && stream.sendWindow > 0) this.#ready.add(stream)
    }
  }
}

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Http2Application, Http2Connection } from './application.ts'
import type { BlockPool } from './block-pool.ts'
import { ConnectionError, ErrorCode } from './error-codes.ts'
import { FloodGuard } from './flood-guard.ts'
import { FrameHandler, type FrameListener } from './frame-handler.ts'
import { FrameReader } from './frame-reader.ts'
import { INITIAL_WINDOW_BYTES, MAX_31_BITS } from './frames.ts'
import { HeaderFrames } from './header-frames.ts'
import type { BlockReader } from './hpack/block-reader.ts'
import { Decoder } from './hpack/decoder.ts'
import type { Http2Limits, Patience } from './options.ts'
import type { PacedReader, RequestPacer } from './request-pacer.ts'
import { Sender } from './sender.ts'
import { PeerSettings, settingsOf } from './settings.ts'
import { SocketWriter } from './socket-writer.ts'
import { Streams } from './streams.ts'
import { Unchanged } from './unchanged.ts'
import type { WriteScheduler } from './write-scheduler.ts'

/** The services that all connections of a server share. */
export interface Shared {
  readonly application: Http2Application
  readonly limits: Http2Limits
  readonly blocks: BlockPool
  readonly writes: WriteScheduler
  readonly pacer: RequestPacer
  readonly blockReader: BlockReader
}

/** The payload of each kind of PING that the server sends. It identifies the acknowledgement. */
const KEEPALIVE = 1
const LAST_REQUESTS = 2
/** How long a peer may take to close a connection that has ended here. If the connection were reset, the peer would lose the GOAWAY. */
const LINGER_MS = 1_000

/** A connection of a client, from its preface to its end: reading, deadlines, and closing. */
export class ServerConnection implements Http2Connection, FrameListener, PacedReader {
  readonly socket: Socket | TLSSocket
  state: unknown = undefined
  readonly #shared: Shared
  readonly #reader = new FrameReader()
  readonly #frames: FrameHandler
  readonly #headers: HeaderFrames
  readonly #flood: FloodGuard
  readonly #writer: SocketWriter
  readonly #sender: Sender
  readonly #streams: Streams
  #isReady = false
  #draining = false
  #reason = ''
  /** Nothing more is read, or the socket has closed. */
  #ended = false
  /** The connection ended with its last stream. A part of the last answer may not have been sent yet. */
  #endsWell = false
  #closed = false
  /** The socket is paused, and the reader has unread bytes. */
  #held = false
  #awaitsSocket = false
  /** How often bytes arrived. */
  #reads = 0
  readonly #sinceOpened = new Unchanged()
  readonly #sinceRead = new Unchanged()
  readonly #sinceFrame = new Unchanged()
  readonly #sinceProgress = new Unchanged()
  readonly #sinceRequest = new Unchanged()
  readonly #sincePing = new Unchanged()
  /** The payload of an unacknowledged PING; 0 if there is none. */
  #ping = 0

  constructor(socket: Socket | TLSSocket, shared: Shared) {
    const { limits, application } = shared
    this.socket = socket
    this.#shared = shared
    const settings = new PeerSettings()
    const decoder = new Decoder(shared.blockReader)
    const flood = new FloodGuard(limits.minPingIntervalMs)
    const writer = new SocketWriter(socket, shared.blocks, shared.writes, this.#taken)
    const sender = new Sender(writer, settings, flood, limits.socketBufferBytes)
    const streams = new Streams(this, sender, flood, limits.connectionWindowBytes, this.#emptied)
    const parts = { application, limits, settings, decoder, flood, sender, streams }
    this.#headers = new HeaderFrames(parts)
    this.#frames = new FrameHandler({ ...parts, connection: this, headers: this.#headers })
    this.#flood = flood
    this.#writer = writer
    this.#sender = sender
    this.#streams = streams
    socket.on('data', this.#data)
    socket.on('end', () => this.#lost())
    // The kind of error does not matter: the socket closes.
    socket.on('error', () => this.#lost())
    socket.on('close', () => this.#close())
    // RFC 9113 §3.4: SETTINGS are sent first, without waiting.
    this.#writer.frames.settings(settingsOf(limits))
    const wider = limits.connectionWindowBytes - INITIAL_WINDOW_BYTES
    if (wider > 0) this.#writer.frames.windowUpdate(0, wider)
    this.#writer.schedule()
  }

  get draining(): boolean {
    return this.#draining || this.#ended
  }

  get streamCount(): number {
    return this.#streams.count
  }

  goAway(reason = ''): void {
    if (this.draining) return
    this.#draining = true
    this.#reason = reason
    this.#writer.frames.goAway(MAX_31_BITS, ErrorCode.NO_ERROR, reason)
    this.#sendPing(LAST_REQUESTS)
  }

  close(code: ErrorCode, debug = ''): void {
    if (this.#ended) return
    this.#ended = true
    this.#streams.abort(code)
    this.#writer.frames.goAway(this.#streams.lastId, code, debug)
    this.#end()
  }

  destroy(): void {
    this.socket.destroy()
  }

  // Frames about the connection.

  ready(): void {
    this.#isReady = true
    this.#shared.application.opened(this)
  }

  pingAnswered(payload: number): void {
    if (payload !== this.#ping) return
    this.#ping = 0
    if (payload === LAST_REQUESTS) this.#takeNoMoreRequests()
  }

  peerGoesAway(): void {
    if (this.draining) return
    this.#draining = true
    this.#takeNoMoreRequests()
  }

  // Reading.

  resume(): void {
    this.#read()
  }

  readonly #data = (chunk: Buffer): void => {
    this.#reads += 1
    if (this.#ended) return
    this.#reader.push(chunk)
    if (this.#shared.pacer.mayRead(this)) this.#read()
    else this.#hold()
  }

  #read(): void {
    const { pacer, limits } = this.#shared
    const headers = this.#headers
    this.#flood.at(performance.now())
    try {
      while (!this.#ended) {
        if (this.#writer.waitingBytes > limits.maxSocketBufferBytes) {
          // The peer sends requests and does not read the answers.
          this.#awaitsSocket = true
          this.#hold()
          return
        }
        if (!this.#reader.next()) break
        const { requests } = headers
        this.#frames.handle(this.#reader)
        if (headers.requests === requests) continue
        pacer.began()
        if (this.#reader.hasMore && !pacer.mayRead(this)) {
          this.#hold()
          return
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      this.close(error.code, error.message)
    }
    if (this.#held) {
      this.#held = false
      this.socket.resume()
    }
  }

  #hold(): void {
    if (this.#held) return
    this.#held = true
    this.socket.pause()
  }

  readonly #taken = (): void => {
    this.#sender.taken()
    if (!this.#awaitsSocket || this.#writer.waitingBytes > this.#shared.limits.maxSocketBufferBytes / 2) return
    this.#awaitsSocket = false
    if (!this.#ended && this.#shared.pacer.mayRead(this)) this.#read()
  }

  // Closing.

  /** The second step of a graceful end. The peer has received the first GOAWAY, so every request that it sent before has arrived. */
  #takeNoMoreRequests(): void {
    if (this.#headers.refusesRequests || this.#ended) return
    this.#headers.refusesRequests = true
    this.#writer.frames.goAway(this.#streams.lastId, ErrorCode.NO_ERROR, this.#reason)
    this.#writer.schedule()
    if (this.#streams.count === 0) this.#endWell()
  }

  readonly #emptied = (): void => {
    if (this.#headers.refusesRequests && !this.#ended) this.#endWell()
  }

  #endWell(): void {
    this.#endsWell = true
    this.#end()
  }

  /** Ends the socket when everything has been sent. Data that arrives meanwhile is dropped. */
  #end(): void {
    this.#ended = true
    this.#shared.pacer.forget(this)
    this.#reader.close()
    this.#writer.end()
    this.socket.resume()
  }

  /** The peer closed its side, or the network failed. */
  #lost(): void {
    this.#ended = true
    this.#shared.pacer.forget(this)
    this.#reader.close()
    this.#streams.abort(ErrorCode.CANCEL)
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#lost()
    if (this.#isReady) this.#shared.application.closed(this)
  }

  // Deadlines.

  /**
   * Ends operations that have taken too long. Call this periodically. `now` is in milliseconds of a monotonic clock. The
   * limits are shorter while the server closes.
   */
  check(now: number, { handshakeMs, stallMs, lastPingMs }: Patience): void {
    const { limits } = this.#shared
    const stalled = this.#stalled(now)
    if (this.#ended) {
      // The rest of the last answers is sent first. It may be read as slowly as other answers.
      const sends = this.#endsWell && this.#writer.waitingBytes > 0
      if (sends ? stalled > stallMs : this.#sinceOpened.for(-1, now) > LINGER_MS) this.socket.destroy()
      return
    }
    if (!this.#isReady) {
      if (this.#sinceOpened.for(0, now) > handshakeMs) this.socket.destroy()
      return
    }
    if (stalled > 0) this.#streams.sendSmallPieces()
    if (stalled > stallMs) this.close(ErrorCode.ENHANCE_YOUR_CALM, 'answers are not read')
    else if (this.#frameTakes(now) > limits.frameMs) {
      this.close(ErrorCode.ENHANCE_YOUR_CALM, 'a frame does not end')
    } else if (this.#draining) {
      // A peer that does not acknowledge the PING still gets the number of the last request.
      if (this.#sincePing.for(this.#ping, now) > lastPingMs) this.#takeNoMoreRequests()
    } else this.#checkSilence(now)
  }

  /** How long answers have waited while the peer accepted nothing. */
  #stalled(now: number): number {
    const waits = this.#writer.waitingBytes > 0 || this.#sender.waitingBytes > 0
    return this.#sinceProgress.for(waits ? this.#sender.progress : -1, now) * Number(waits)
  }

  /** How long a frame or header block has been incomplete. Its number distinguishes it from the next one. */
  #frameTakes(now: number): number {
    if (this.#headers.awaitsContinuation) return this.#sinceFrame.for(-this.#headers.longBlocks, now)
    const incomplete = this.#reader.awaitsRest && !this.#held
    return this.#sinceFrame.for(incomplete ? this.#reader.count : 0, now) * Number(incomplete)
  }

  #checkSilence(now: number): void {
    const { keepaliveTimeMs, keepaliveTimeoutMs, idleMs } = this.#shared.limits
    const silent = this.#sinceRead.for(this.#reads, now)
    if (silent === 0) this.#ping = 0
    if (this.#ping === KEEPALIVE && silent > keepaliveTimeMs + keepaliveTimeoutMs) this.socket.destroy()
    else if (this.#ping === 0 && silent > keepaliveTimeMs) this.#sendPing(KEEPALIVE)
    const busy = this.#streams.count > 0
    if (this.#sinceRequest.for(busy ? -1 : this.#streams.lastId, now) > idleMs && !busy) this.goAway('max_idle')
  }

  #sendPing(payload: number): void {
    this.#ping = payload
    this.#writer.frames.ping(payload)
    this.#writer.schedule()
  }
}

import type { Socket } from 'node:net'
import type { BlockPool } from './block-pool.ts'
import { OutgoingFrames } from './outgoing-frames.ts'
import type { WriteScheduler } from './write-scheduler.ts'

/**
 * Sends the frames of a connection. The frames of one turn of the event loop are sent in one write; the next write follows
 * when the socket has accepted the previous one. Data that a slow peer leaves unsent thus stays in packed blocks, and is
 * counted.
 */
export class SocketWriter {
  readonly frames: OutgoingFrames
  readonly #socket: Socket
  readonly #pool: BlockPool
  readonly #scheduler: WriteScheduler
  readonly #onTaken: () => void
  #scheduled = false
  #ends = false
  /** The data that was passed to the socket and that the socket has not accepted yet. */
  #underway: readonly Buffer[] = []
  #underwayBytes = 0

  /** `onTaken` is called when the socket has accepted the data. */
  constructor(socket: Socket, pool: BlockPool, scheduler: WriteScheduler, onTaken: () => void) {
    this.#socket = socket
    this.#pool = pool
    this.#scheduler = scheduler
    this.#onTaken = onTaken
    this.frames = new OutgoingFrames(pool)
  }

  /** The number of bytes that the socket has not accepted. */
  get waitingBytes(): number {
    return this.frames.bytes + this.#underwayBytes
  }

  /** Call this after frames were added. */
  schedule(): void {
    if (this.#scheduled || this.#underwayBytes > 0) return
    this.#scheduled = true
    this.#scheduler.add(this)
  }

  /** Sends the existing frames. */
  flush(): void {
    this.#scheduled = false
    const bytes = this.frames.bytes
    const socket = this.#socket
    if (this.#underwayBytes > 0 || bytes === 0 || !socket.writable) return
    const { chunks, blocks } = this.frames.take()
    this.#underway = blocks
    this.#underwayBytes = bytes
    const last = chunks.length - 1
    if (last > 0) socket.cork()
    for (const [at, chunk] of chunks.entries()) {
      if (at < last) socket.write(chunk)
      else socket.write(chunk, this.#taken)
    }
    if (last > 0) socket.uncork()
  }

  /** Ends the socket after the existing frames. */
  end(): void {
    this.#ends = true
    this.flush()
    if (this.#underwayBytes === 0) this.#socket.end()
  }

  readonly #taken = (error?: Error | null): void => {
    // A failed socket may still read the blocks, so they are left to the garbage collector.
    if (error !== undefined && error !== null) return
    for (const block of this.#underway) this.#pool.giveBack(block)
    this.#underway = []
    this.#underwayBytes = 0
    this.#onTaken()
    if (this.#ends) this.end()
    else this.flush()
  }
}

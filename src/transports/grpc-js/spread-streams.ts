import type { Server } from '@grpc/grpc-js'
import { listenBefore } from './stream-listeners.ts'

/** How many calls start in one turn of the event loop. One caller may run the same number at once. */
const MAX_STARTED_PER_TURN = 32

/**
 * Spreads calls that arrive together over several turns of the event loop. One packet can contain a thousand calls; the calls
 * of other connections start in between. Call this when the server is bound, after all other functions that add stream
 * listeners.
 */
export function spreadStreams(server: Server): void {
  const arrivals = new SpreadArrivals()
  listenBefore(server, (start) => (stream, headers, flags, raw) => {
    if (arrivals.mayStart()) {
      start(stream, headers, flags, raw)
      return
    }
    // Until the call starts, the stream has no other error listener, and the call may be cancelled.
    stream.on('error', () => undefined)
    arrivals.wait(stream.session, () => {
      // A call that was cancelled meanwhile is dropped with its data.
      if (stream.closed || stream.destroyed) stream.destroy()
      else start(stream, headers, flags, raw)
    })
  })
}

/** Limits how many calls start in each turn of the event loop. Calls beyond the limit wait, and the connections take turns. */
export class SpreadArrivals {
  #started = 0
  #turnEnds = false
  readonly #waiting = new Map<object | undefined, (() => void)[]>()

  /** Returns whether another call may start now. If so, it counts as started. */
  mayStart(): boolean {
    if (!this.#turnEnds) {
      this.#turnEnds = true
      setImmediate(() => this.#nextTurn())
    }
    if (this.#started === MAX_STARTED_PER_TURN || this.#waiting.size > 0) return false
    this.#started += 1
    return true
  }

  /** Starts the call in one of the next turns. */
  wait(connection: object | undefined, start: () => void): void {
    const queue = this.#waiting.get(connection)
    if (queue === undefined) this.#waiting.set(connection, [start])
    else queue.push(start)
  }

  #nextTurn(): void {
    this.#started = 0
    this.#turnEnds = this.#waiting.size > 0
    if (this.#turnEnds) setImmediate(() => this.#nextTurn())
    // The iteration of a map includes entries that are added to its end meanwhile.
    for (const [connection, queue] of this.#waiting) {
      if (this.#started === MAX_STARTED_PER_TURN) return
      this.#started += 1
      this.#waiting.delete(connection)
      const start = queue.shift()
      if (queue.length > 0) this.#waiting.set(connection, queue)
      start?.()
    }
  }
}

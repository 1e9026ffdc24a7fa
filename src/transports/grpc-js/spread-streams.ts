import type { Server } from '@grpc/grpc-js'
import { listenBefore } from './stream-listeners.ts'

/** How many calls start in one turn of the event loop: as many as one caller may run at once. */
const MAX_STARTED_PER_TURN = 32

/**
 * Spreads calls that arrive together over turns of the event loop, for one packet
 * can bring a thousand of them: the calls of others start in between. To be called
 * when the server is bound, after all others who listen for streams.
 */
export function spreadStreams(server: Server): void {
  const arrivals = new SpreadArrivals()
  listenBefore(server, (start) => (stream, headers, flags, raw) => {
    if (arrivals.mayStart()) {
      start(stream, headers, flags, raw)
      return
    }
    // Until it starts nobody else listens, and it may be cancelled.
    stream.on('error', () => undefined)
    arrivals.wait(stream.session, () => {
      // One that was cancelled meanwhile is dropped, with what came of it.
      if (stream.closed || stream.destroyed) stream.destroy()
      else start(stream, headers, flags, raw)
    })
  })
}

/** Limits how many calls start in each turn of the event loop. Those beyond wait; the connections take turns. */
export class SpreadArrivals {
  #started = 0
  #turnEnds = false
  readonly #waiting = new Map<object | undefined, (() => void)[]>()

  /** Whether one more may start now; it counts as started. */
  mayStart(): boolean {
    if (!this.#turnEnds) {
      this.#turnEnds = true
      setImmediate(() => this.#nextTurn())
    }
    if (this.#started === MAX_STARTED_PER_TURN || this.#waiting.size > 0) return false
    this.#started += 1
    return true
  }

  /** Starts it in one of the next turns. */
  wait(connection: object | undefined, start: () => void): void {
    const queue = this.#waiting.get(connection)
    if (queue === undefined) this.#waiting.set(connection, [start])
    else queue.push(start)
  }

  #nextTurn(): void {
    this.#started = 0
    this.#turnEnds = this.#waiting.size > 0
    if (this.#turnEnds) setImmediate(() => this.#nextTurn())
    // The iteration of a map includes what is added to its end meanwhile.
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

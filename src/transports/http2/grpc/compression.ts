import { gunzip, gzip } from 'node:zlib'

export const IDENTITY = 'identity'
export const GZIP = 'gzip'

/** Why a message could not be inflated. */
export type InflateFailure = 'too large' | 'malformed'

/** Who waits for a message to be inflated. */
export type Inflated = (message: Buffer | InflateFailure) => void

/** A message that is to be inflated. */
export interface Inflation {
  readonly bytes: Uint8Array
  readonly done: Inflated
}

/** As many as leave threads of the pool to others. */
const MAX_INFLATING = 2

/**
 * Inflates messages on other threads, a few at once: what others compressed is never inflated on the event loop, nor beyond a
 * bound. The connections take turns, for one that sends a thousand small messages of a large size must not stop the others.
 */
export class Inflater {
  readonly #maxBytes: number
  /** What waits, by the connection that it came on; the first has the next turn. */
  readonly #waiting = new Map<object, Set<Inflation>>()
  #running = 0

  /** `maxBytes`: the largest message, inflated. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Calls back later, unless it is withdrawn. The bytes must not change until then. */
  inflate(connection: object, bytes: Uint8Array, done: Inflated): Inflation {
    const inflation = { bytes, done }
    const waiting = this.#waiting.get(connection)
    if (waiting === undefined) this.#waiting.set(connection, new Set([inflation]))
    else waiting.add(inflation)
    this.#next()
    return inflation
  }

  /** Nobody wants the message any more. Answers whether it had not begun; if so, nobody is called back. */
  withdraw(connection: object, inflation: Inflation): boolean {
    const waiting = this.#waiting.get(connection)
    if (waiting === undefined || !waiting.delete(inflation)) return false
    if (waiting.size === 0) this.#waiting.delete(connection)
    return true
  }

  #next(): void {
    if (this.#running === MAX_INFLATING) return
    const next = this.#takeTurn()
    if (next === undefined) return
    this.#running += 1
    gunzip(next.bytes, { maxOutputLength: this.#maxBytes }, (error, message) => {
      this.#running -= 1
      this.#next()
      next.done(error === null ? message : isTooLarge(error) ? 'too large' : 'malformed')
    })
  }

  #takeTurn(): Inflation | undefined {
    for (const [connection, waiting] of this.#waiting) {
      this.#waiting.delete(connection)
      const [first] = waiting
      if (first === undefined) continue
      waiting.delete(first)
      if (waiting.size > 0) this.#waiting.set(connection, waiting)
      return first
    }
    return undefined
  }
}

/** Compresses a message to be sent, on another thread. */
export function gzipped(message: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(message, (error, compressed) => {
      if (error === null) resolve(compressed)
      else reject(error)
    })
  })
}

function isTooLarge(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ERR_BUFFER_TOO_LARGE'
}

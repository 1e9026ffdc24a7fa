import { gunzip, gzip } from 'node:zlib'

export const IDENTITY = 'identity'
export const GZIP = 'gzip'

/** The reason why a message could not be inflated. */
export type InflateFailure = 'too large' | 'malformed'

/** The callback for an inflated message. */
export type Inflated = (message: Buffer | InflateFailure) => void

/** A message to be inflated. */
export interface Inflation {
  readonly bytes: Uint8Array
  readonly done: Inflated
}

/** The limit leaves threads of the pool for other work. */
const MAX_INFLATING = 2

/**
 * Inflates messages on other threads, a few at once. Messages of others are never inflated on the event loop, nor beyond a
 * size limit. The connections take turns: a connection that sends a thousand small messages that inflate to large ones must
 * not block others.
 */
export class Inflater {
  readonly #maxBytes: number
  /** The waiting messages by connection. The first connection has the next turn. */
  readonly #waiting = new Map<object, Set<Inflation>>()
  #running = 0

  /** `maxBytes`: the largest size of an inflated message. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Calls back later, unless the message is withdrawn. The bytes must not change until then. */
  inflate(connection: object, bytes: Uint8Array, done: Inflated): Inflation {
    const inflation = { bytes, done }
    const waiting = this.#waiting.get(connection)
    if (waiting === undefined) this.#waiting.set(connection, new Set([inflation]))
    else waiting.add(inflation)
    this.#next()
    return inflation
  }

  /** Cancels an inflation. Returns whether it had not begun; if so, the callback is not called. */
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

/** Compresses an outgoing message on another thread. */
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

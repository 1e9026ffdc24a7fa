import { gunzip, gzip } from 'node:zlib'

export const IDENTITY = 'identity'
export const GZIP = 'gzip'

/** Why a message could not be inflated. */
export type InflateFailure = 'too large' | 'malformed'

/** Who waits for a message to be inflated. */
export type Inflated = (message: Buffer | InflateFailure) => void

interface Waiting {
  readonly bytes: Uint8Array
  readonly done: Inflated
}

/** As many as leave threads of the pool to others. */
const MAX_INFLATING = 2

/** Inflates messages on other threads, a few at once: what others compressed is never inflated on the event loop, nor beyond a bound. */
export class Inflater {
  readonly #maxBytes: number
  readonly #waiting: Waiting[] = []
  #running = 0

  /** `maxBytes`: the largest message, inflated. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Calls back later. The bytes must not change until then. */
  inflate(bytes: Uint8Array, done: Inflated): void {
    this.#waiting.push({ bytes, done })
    this.#next()
  }

  #next(): void {
    if (this.#running === MAX_INFLATING) return
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#running += 1
    gunzip(next.bytes, { maxOutputLength: this.#maxBytes }, (error, message) => {
      this.#running -= 1
      this.#next()
      next.done(error === null ? message : isTooLarge(error) ? 'too large' : 'malformed')
    })
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

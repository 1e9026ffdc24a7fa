/** How a stream ended. */
export const Closed = Object.freeze({
  /** It is not among the last that ended: nothing is known of it, or it was skipped. */
  UNKNOWN: 0,
  /** Both sides ended it, or the peer reset it: nothing more may come. */
  BY_PEER: 1,
  /** It was reset here: the peer may have sent more before it knew. */
  BY_RESET: 2,
})

/** A power of two. */
const REMEMBERED = 128

/** How the last streams of a connection ended (RFC 9113 §5.1), as many as are worth a kilobyte. */
export class ClosedStreams {
  /** A ring, made with the first stream that ends: a number, and how it ended. */
  #ring: Int32Array | null = null
  #next = 0

  add(streamId: number, how: number): void {
    this.#ring ??= new Int32Array(2 * REMEMBERED)
    this.#ring[this.#next] = streamId
    this.#ring[this.#next + 1] = how
    this.#next = (this.#next + 2) & (2 * REMEMBERED - 1)
  }

  /** One of `Closed`. */
  howEnded(streamId: number): number {
    if (this.#ring === null) return Closed.UNKNOWN
    for (let at = 0; at < this.#ring.length; at += 2) if (this.#ring[at] === streamId) return this.#ring[at + 1] ?? 0
    return Closed.UNKNOWN
  }
}

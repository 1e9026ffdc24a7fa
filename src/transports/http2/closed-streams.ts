/** How a stream ended. */
export const Closed = Object.freeze({
  /** The stream is not among the last that ended: it is unknown, or was skipped. */
  UNKNOWN: 0,
  /** Both sides ended the stream, or the peer reset it: no more frames may come. */
  BY_PEER: 1,
  /** The stream was reset here: the peer may have sent more frames before it received the reset. */
  BY_RESET: 2,
})

/** How many streams are remembered. A power of two. */
const REMEMBERED = 128

/** How the last streams of a connection ended (RFC 9113 §5.1). The memory takes one kilobyte. */
export class ClosedStreams {
  /** A ring of pairs: a stream number, and how the stream ended. Created when the first stream ends. */
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

/**
 * The flow-control window of a peer, for one request or for all (RFC 9113 §5.2). Received bytes use up the window until they
 * are consumed. Credit is returned when it is large enough for a frame.
 */
export class ReceiveWindow {
  /** The number of bytes that the peer may still send. Negative after SETTINGS that made windows smaller. */
  #left: number
  #size: number
  /** The consumed bytes whose credit was not yet returned. */
  #credit = 0

  constructor(left: number, size = left) {
    this.#left = left
    this.#size = size
  }

  /** Subtracts received bytes from the window. Returns false if the peer exceeded the window. */
  receive(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  /** Returns how much credit to give the peer now; usually 0. */
  consume(bytes: number): number {
    this.#credit += bytes
    if (2 * this.#credit < this.#size) return 0
    const credit = this.#credit
    this.#credit = 0
    this.#left += credit
    return credit
  }

  /** The peer has acknowledged another window size (RFC 9113 §6.9.2). */
  resize(size: number): void {
    this.#left += size - this.#size
    this.#size = size
  }
}

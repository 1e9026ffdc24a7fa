/**
 * How much a peer may send, of one request or of all (RFC 9113 §5.2). What was received takes up the window until it has been
 * consumed; credit is given back when it is worth a frame.
 */
export class ReceiveWindow {
  /** What the peer may still send; below zero after SETTINGS that make windows smaller. */
  #left: number
  #size: number
  /** What was consumed, and not yet given back. */
  #credit = 0

  constructor(left: number, size = left) {
    this.#left = left
    this.#size = size
  }

  /** Takes up room for so many bytes that came. Answers false where the peer had no right to send them. */
  receive(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  /** Answers how much credit to give the peer now; mostly none. */
  consume(bytes: number): number {
    this.#credit += bytes
    if (2 * this.#credit < this.#size) return 0
    const credit = this.#credit
    this.#credit = 0
    this.#left += credit
    return credit
  }

  /** The peer knows of another size from now on (RFC 9113 §6.9.2). */
  resize(size: number): void {
    this.#left += size - this.#size
    this.#size = size
  }
}

const LEAST = 256

/** Collects bytes that arrive in pieces in one growing buffer. Many small pieces cost no more than a few large ones. */
export class GrowingBuffer {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** `most`: the maximum length of all pieces together. */
  append(piece: Uint8Array, most: number): void {
    const needed = this.#length + piece.byteLength
    if (needed > this.#bytes.byteLength) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(Math.max(needed, 2 * this.#bytes.byteLength, LEAST), Math.max(most, needed)),
      )
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#length)
    this.#length = needed
  }

  /** Returns the content and empties the buffer. The caller owns the bytes. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return taken
  }
}

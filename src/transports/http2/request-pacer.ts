/** A connection whose next frames have to wait. */
export interface PacedReader {
  /** Goes on reading, until a request has begun or nothing is left. */
  resume(): void
}

/**
 * Limits how many requests begin in one turn of the event loop, for one packet can bring a thousand of them. The connections
 * whose frames have to wait take turns, so that those of others begin in between.
 */
export class RequestPacer {
  readonly #perTurn: number
  #left: number
  #turnEnds = false
  readonly #waiting = new Set<PacedReader>()

  constructor(perTurn: number) {
    this.#perTurn = perTurn
    this.#left = perTurn
  }

  /** Whether a reader may go on. If not, it is resumed in one of the next turns. */
  mayRead(reader: PacedReader): boolean {
    if (this.#left > 0 && this.#waiting.size === 0) return true
    this.#waiting.add(reader)
    this.#endTurn()
    return false
  }

  /** Counts a request that begins. */
  began(): void {
    this.#left -= 1
    this.#endTurn()
  }

  /** A reader that has closed. */
  forget(reader: PacedReader): void {
    this.#waiting.delete(reader)
  }

  #endTurn(): void {
    if (this.#turnEnds) return
    this.#turnEnds = true
    setImmediate(this.#nextTurn)
  }

  readonly #nextTurn = (): void => {
    this.#turnEnds = false
    this.#left = this.#perTurn
    // The iteration of a set includes what is added to its end meanwhile.
    for (const reader of this.#waiting) {
      if (this.#left <= 0) break
      this.#waiting.delete(reader)
      reader.resume()
    }
    if (this.#waiting.size > 0) this.#endTurn()
  }
}

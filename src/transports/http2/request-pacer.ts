/** A connection whose next frames have to wait. */
export interface PacedReader {
  /** Continues reading until a request has begun or no data is left. */
  resume(): void
}

/**
 * Limits how many requests begin in one turn of the event loop, because one packet can contain a thousand requests.
 * Connections with waiting frames take turns, and the requests of other connections begin in between.
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

  /** Returns whether a reader may continue. If not, it is resumed in one of the next turns. */
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

  /** Removes a reader that has closed. */
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
    // The iteration of a set includes elements that are added to its end meanwhile.
    for (const reader of this.#waiting) {
      if (this.#left <= 0) break
      this.#waiting.delete(reader)
      reader.resume()
    }
    if (this.#waiting.size > 0) this.#endTurn()
  }
}

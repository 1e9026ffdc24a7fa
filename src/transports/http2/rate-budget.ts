/** How many events of a kind may come: some at once, and some in each second. What is useful gives some back. */
export class RateBudget {
  readonly #most: number
  readonly #perMillisecond: number
  #left: number
  #countedAt = 0

  constructor(atOnce: number, perSecond: number) {
    this.#most = atOnce
    this.#perMillisecond = perSecond / 1000
    this.#left = atOnce
  }

  /** Takes one; `now` is in milliseconds of any clock that never goes back. Answers false where none is left. */
  take(now: number): boolean {
    if (this.#left < 1) {
      this.#left = Math.min(this.#most, this.#left + (now - this.#countedAt) * this.#perMillisecond)
      this.#countedAt = now
      if (this.#left < 1) return false
    } else if (this.#left === this.#most) {
      this.#countedAt = now
    }
    this.#left -= 1
    return true
  }

  give(events: number): void {
    this.#left = Math.min(this.#most, this.#left + events)
  }
}

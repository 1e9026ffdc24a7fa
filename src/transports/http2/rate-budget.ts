/** A budget for events of one kind: a burst, and a number in each second. Useful events refill it in part. */
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

  /** Takes one event. `now` is in milliseconds of a monotonic clock. Returns false if the budget is used up. */
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

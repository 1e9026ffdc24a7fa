/** Of the time a caller gives, how much is spent on walking; the rest is for the answer. */
const SHARE = 0.5

/** How much of a log one call walks: so many rows, and never to the caller's deadline; but always a little. */
export class WalkBudget {
  readonly #until: number
  #rows: number
  #hasBegun = false

  /** `patienceMs`: how long the caller waits; `null` if it never said. */
  constructor(rows: number, patienceMs: number | null) {
    this.#rows = rows
    this.#until = patienceMs === null ? Number.POSITIVE_INFINITY : performance.now() + patienceMs * SHARE
  }

  get rows(): number {
    return this.#rows
  }

  get isSpent(): boolean {
    return this.#hasBegun && (this.#rows <= 0 || performance.now() > this.#until)
  }

  spend(rows: number): void {
    this.#hasBegun = true
    this.#rows -= rows
  }
}

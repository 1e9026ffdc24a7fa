/** Measures how long a value has been unchanged, as of the times when it was checked. */
export class Unchanged {
  #value = Number.NaN
  #since = 0

  /** Milliseconds since the value last changed; 0 if it changed now. */
  for(value: number, now: number): number {
    if (value === this.#value) return now - this.#since
    this.#value = value
    this.#since = now
    return 0
  }
}

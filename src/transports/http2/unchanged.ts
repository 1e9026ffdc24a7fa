/** For how long something has been the same, as far as it was looked at. */
export class Unchanged {
  #value = Number.NaN
  #since = 0

  /** Milliseconds since the value became what it is; 0 if it is new. */
  for(value: number, now: number): number {
    if (value === this.#value) return now - this.#since
    this.#value = value
    this.#since = now
    return 0
  }
}

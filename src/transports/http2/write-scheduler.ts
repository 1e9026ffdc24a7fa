/** Something that has data to send. */
export interface Flushable {
  flush(): void
}

/** Sends the data of all connections at the end of the turn of the event loop in which it was written. */
export class WriteScheduler {
  #waiting: Flushable[] = []

  /** Call this once before each `flush`. */
  add(writer: Flushable): void {
    if (this.#waiting.length === 0) setImmediate(this.#flush)
    this.#waiting.push(writer)
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    for (const writer of waiting) writer.flush()
  }
}

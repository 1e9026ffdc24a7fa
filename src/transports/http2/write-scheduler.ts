/** Something that has to be sent. */
export interface Flushable {
  flush(): void
}

/** Sends at the end of the turn of the event loop what was written in it, of all connections. */
export class WriteScheduler {
  #waiting: Flushable[] = []

  /** To be called once until `flush` is. */
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

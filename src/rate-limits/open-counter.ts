/** Counts what is open in this process, such as streams, by key. A key with nothing open takes no memory. */
export class OpenCounter {
  readonly #open = new Map<string, number>()

  of(key: string): number {
    return this.#open.get(key) ?? 0
  }

  opened(key: string): void {
    this.#open.set(key, this.of(key) + 1)
  }

  /** Of something that was opened. */
  closed(key: string): void {
    const left = this.of(key) - 1
    if (left > 0) this.#open.set(key, left)
    else this.#open.delete(key)
  }
}

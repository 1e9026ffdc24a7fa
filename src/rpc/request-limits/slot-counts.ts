const AT_FIRST = 256

/** Counts the occurrences of fields, in one array for all the messages that are open at the time: a stack. */
export class SlotCounts {
  #counts = new Int32Array(AT_FIRST)
  #top = 0
  /** The keys of maps that were met, by the map's place. */
  #keys: Map<number, Set<string>> | null = null

  clear(): void {
    this.#top = 0
    this.#keys = null
  }

  /** Makes room for a message; its places begin at the answer. */
  enter(slots: number): number {
    const base = this.#top
    this.#top += slots
    if (this.#top > this.#counts.length) {
      const larger = new Int32Array(2 * this.#top)
      larger.set(this.#counts)
      this.#counts = larger
    }
    this.#counts.fill(0, base, this.#top)
    return base
  }

  leave(base: number): void {
    if (this.#keys !== null) for (let slot = base; slot < this.#top; slot += 1) this.#keys.delete(slot)
    this.#top = base
  }

  add(slot: number, count: number): number {
    const sum = this.of(slot) + count
    this.#counts[slot] = sum
    return sum
  }

  of(slot: number): number {
    return this.#counts[slot] ?? 0
  }

  /** Whether the map in this place did not have the key before. */
  addKey(slot: number, key: string): boolean {
    this.#keys ??= new Map()
    const keys = this.#keys.get(slot) ?? new Set()
    if (keys.has(key)) return false
    this.#keys.set(slot, keys.add(key))
    return true
  }
}

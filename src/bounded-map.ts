/**
 * A map that holds at most `capacity` entries: setting one more forgets the
 * entry that was set longest ago. Setting an entry again makes it the newest.
 */
export class BoundedMap<Key, Value> {
  readonly #capacity: number
  readonly #entries = new Map<Key, Value>()

  /** @throws RangeError when `capacity` is not a whole number of entries, at least 1. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('a bounded map holds at least one entry')
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  /** The value of a key, whose age stays as it is. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  /** Makes this entry the newest. */
  set(key: Key, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#capacity) return
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest)
      return
    }
  }

  delete(key: Key): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Oldest first. */
  keys(): MapIterator<Key> {
    return this.#entries.keys()
  }

  /** Oldest first. */
  values(): MapIterator<Value> {
    return this.#entries.values()
  }
}

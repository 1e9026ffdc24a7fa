import type { HeaderField } from './header-field.ts'

const INITIAL_CAPACITY = 16

/** RFC 7541 §2.3.2: the most recent fields, up to a size in bytes. The newest has position 0. */
export class DynamicTable {
  /** A ring whose length is a power of two, so that fields are not moved. */
  #ring: (HeaderField | undefined)[] = []
  #newest = 0
  #length = 0
  #bytes = 0
  #maxBytes: number

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#length
  }

  /** RFC 7541 §4.1. */
  get bytes(): number {
    return this.#bytes
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  /** `undefined` beyond the oldest. */
  at(position: number): HeaderField | undefined {
    if (position >= this.#length) return undefined
    return this.#ring[(this.#newest - position) & (this.#ring.length - 1)]
  }

  /** RFC 7541 §4.4: the oldest fields are evicted. A field larger than the table empties it and is not kept. */
  add(field: HeaderField): void {
    this.#evict(this.#maxBytes - field.size)
    if (field.size > this.#maxBytes) return
    if (this.#length === this.#ring.length) this.#grow()
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1)
    this.#ring[this.#newest] = field
    this.#length += 1
    this.#bytes += field.size
  }

  /** RFC 7541 §4.3. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#evict(maxBytes)
  }

  #evict(maxBytes: number): void {
    while (this.#bytes > maxBytes && this.#length > 0) {
      const oldest = (this.#newest - this.#length + 1) & (this.#ring.length - 1)
      this.#bytes -= this.#ring[oldest]?.size ?? 0
      this.#ring[oldest] = undefined
      this.#length -= 1
    }
  }

  #grow(): void {
    const ring = new Array<HeaderField | undefined>(Math.max(INITIAL_CAPACITY, 2 * this.#length)).fill(undefined)
    for (let position = 0; position < this.#length; position += 1) ring[this.#length - 1 - position] = this.at(position)
    this.#ring = ring
    this.#newest = (this.#length - 1) & (ring.length - 1)
  }
}

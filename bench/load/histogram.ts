/** Steps for each doubling. Adjacent steps differ by about 1 %. */
const PER_OCTAVE = 64
const OCTAVES = 32

/** Latencies in microseconds, from 1 µs to over an hour, with a precision of 1 % and constant memory. */
export class Histogram {
  readonly #counts = new Uint32Array(PER_OCTAVE * OCTAVES)
  #total = 0

  get total(): number {
    return this.#total
  }

  record(microseconds: number): void {
    const slot = Math.min(this.#counts.length - 1, Math.floor(Math.log2(Math.max(1, microseconds)) * PER_OCTAVE))
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
    this.#total += 1
  }

  /** The latency below which a share of the calls stayed. `null`: no calls were recorded. */
  quantile(share: number): number | null {
    let left = Math.ceil(this.#total * share)
    for (const [slot, count] of this.#counts.entries()) {
      left -= count
      if (left <= 0 && count > 0) return 2 ** ((slot + 0.5) / PER_OCTAVE)
    }
    return null
  }
}

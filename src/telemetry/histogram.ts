import type { Definition, Labels, Metric, Sample } from './metric.ts'

/** One series of a histogram, kept by whoever observes. */
export class Distribution {
  readonly #bounds: readonly number[]
  /** How many fell into each bucket alone; the last one is for what exceeds every bound. */
  readonly #buckets: Float64Array
  #sum = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#buckets = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#sum += value
  }

  /** The cumulative buckets, the sum and the count; none while nothing was observed. */
  samples(name: string, labels: Labels): readonly Sample[] {
    const { length } = this.#bounds
    const samples: Sample[] = []
    let count = 0
    for (const [index, fallen] of this.#buckets.entries()) {
      count += fallen
      const le = index === length ? '+Inf' : (this.#bounds[index] ?? 0)
      samples.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: count })
    }
    if (count === 0) return []
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum })
    samples.push({ metricName: `${name}_count`, labels, value: count })
    return samples
  }
}

/** Distributes what is observed over buckets, without looking up labels at each observation. */
export class Histogram<Label extends string> implements Metric {
  readonly definition: Definition
  readonly #bounds: readonly number[]
  readonly #series: { readonly labels: Labels; readonly distribution: Distribution }[] = []

  constructor(
    definition: Omit<Definition, 'type' | 'aggregation'> & { readonly labels: readonly Label[] },
    bounds: readonly number[],
  ) {
    this.definition = { ...definition, type: 'histogram' }
    this.#bounds = bounds
  }

  /** A new series; it is shown when something was observed. */
  series(labels: Readonly<Record<Label, string>>): Distribution {
    const distribution = new Distribution(this.#bounds)
    this.#series.push({ labels, distribution })
    return distribution
  }

  samples(): readonly Sample[] {
    const { name } = this.definition
    return this.#series.flatMap(({ labels, distribution }) => distribution.samples(name, labels))
  }
}

/** Seconds, from half a millisecond to ten. */
export const CALL_SECONDS = Object.freeze([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
])
/** Seconds, from a tenth of a millisecond to five. */
export const DATABASE_SECONDS = Object.freeze([
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
])
export const BATCH_SIZES = Object.freeze([1, 2, 4, 8, 16, 32, 64, 128, 256, 512])

/** The value of each label, for one series. */
type Labels = Readonly<Record<string, string>>

/** How the values of several worker processes are aggregated. */
export type Aggregation = 'sum' | 'min' | 'max'

/** The description of a metric, for the page in docs/ and for scrapers. */
export interface Definition {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  readonly help: string
  /** Each takes values of a closed set: methods, statuses, reasons, never what a caller sends. */
  readonly labels: readonly string[]
  /** `sum` by default. */
  readonly aggregation?: Aggregation
}

/** One value of a metric at this moment; a histogram has several, told apart by `metricName`. */
export interface Sample {
  readonly value: number
  readonly labels: Readonly<Partial<Record<string, string | number>>>
  readonly metricName?: string
}

/** A metric with its values, as prom-client writes them and as worker processes send them to each other. */
export interface MetricSnapshot {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly aggregator: string
  readonly values: readonly Sample[]
}

/** A metric of QScope's own. */
export interface Metric {
  readonly definition: Definition
  /** Its values now; never throws. */
  samples(): readonly Sample[] | Promise<readonly Sample[]>
}

/** One series of a counter. The code that counts keeps a reference to it, so counting is one addition. */
export interface Count {
  value: number
}

/** Counts events. The counters of prom-client look up the labels with every event, which takes half a microsecond. */
export class Counter<Label extends string> implements Metric {
  readonly definition: Definition
  readonly #series: { readonly labels: Labels; readonly count: Count }[] = []

  constructor(definition: Omit<Definition, 'type'> & { readonly labels: readonly Label[] }) {
    this.definition = { ...definition, type: 'counter' }
  }

  /** A new series; it is shown from now on, at zero until something is counted. */
  series(labels: Readonly<Record<Label, string>>): Count {
    const count = { value: 0 }
    this.#series.push({ labels, count })
    return count
  }

  samples(): readonly Sample[] {
    return this.#series.map(({ labels, count: { value } }) => ({ labels, value }))
  }

  /** A series for each word of a closed set. */
  seriesOf<Word extends string>(
    words: readonly Word[],
    labelsOf: (word: Word) => Readonly<Record<Label, string>>,
  ): Readonly<Record<Word, Count>> {
    const entries = words.map((word) => [word, this.series(labelsOf(word))])
    // The keys are exactly the given words.
    return Object.freeze(Object.fromEntries(entries)) as Record<Word, Count>
  }
}

/** A metric whose values are kept elsewhere and read with each scrape. */
export class Reading implements Metric {
  readonly definition: Definition
  readonly #read: () => readonly Sample[] | Promise<readonly Sample[]>

  constructor(definition: Definition, read: () => readonly Sample[] | Promise<readonly Sample[]>) {
    this.definition = definition
    this.#read = read
  }

  samples(): readonly Sample[] | Promise<readonly Sample[]> {
    return this.#read()
  }
}

/** The value of a metric without labels. */
export function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }]
}

/** One series of a histogram. The code that observes keeps a reference to it. */
export class Distribution {
  readonly #bounds: readonly number[]
  /** The count of each bucket, not cumulative. The last bucket is for values above every bound. */
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

  /** The cumulative buckets, the sum and the count; empty until the first observation. */
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

/** Counts observations in buckets, without a lookup of labels for each observation. */
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

  /** A new series; it is shown after the first observation. */
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

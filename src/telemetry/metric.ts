/** The value of each label, for one series. */
export type Labels = Readonly<Record<string, string>>

/** How the values of several worker processes become one. */
export type Aggregation = 'sum' | 'min' | 'max'

/** What a metric is, for the page in docs/ and for scrapers. */
export interface Definition {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  readonly help: string
  /** Each takes values of a closed set: methods, statuses, reasons, never what a caller sends. */
  readonly labels: readonly string[]
  /** The sum unless told. */
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

/** One series of a counter, kept by whoever counts, so that counting is one addition. */
export interface Count {
  value: number
}

/** Counts events. prom-client's own counters look up the labels with every event, which costs half a microsecond. */
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
    // Each word is a key, and nothing else is.
    return Object.freeze(Object.fromEntries(entries)) as Record<Word, Count>
  }
}

/** A metric whose values are kept elsewhere and read when they are asked for. */
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

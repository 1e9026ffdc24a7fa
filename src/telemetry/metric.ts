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

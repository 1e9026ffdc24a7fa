import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client'
import type { Metric, MetricSnapshot } from './metric.ts'

/** The answer to a scraper. */
export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** The metrics of a process: QScope's own, and those of Node.js and the process that prom-client collects. */
export class Metrics {
  readonly #process = new Registry()
  #own: readonly Metric[]

  constructor(own: readonly Metric[]) {
    this.#own = own
    collectDefaultMetrics({ register: this.#process })
  }

  /** Adds metrics to those that are shown. */
  add(more: readonly Metric[]): void {
    this.#own = [...this.#own, ...more]
  }

  /** All current values, in a form that can be sent to another process. The names of the process metrics do not collide with QScope's. */
  async snapshot(): Promise<readonly MetricSnapshot[]> {
    const own = this.#own.map(async (metric): Promise<MetricSnapshot> => {
      const { name, type, help, aggregation = 'sum' } = metric.definition
      return { name, type, help, aggregator: aggregation, values: await metric.samples() }
    })
    return [...(await Promise.all(own)), ...(await this.#processSnapshot())]
  }

  async #processSnapshot(): Promise<readonly MetricSnapshot[]> {
    const metrics = await this.#process.getMetricsAsJSON()
    // prom-client declares the type as a number, but it is a string.
    return metrics.map(({ type, ...rest }) => ({ ...rest, type: String(type) }))
  }
}

/** The text for a scraper, over the snapshots of all processes that answer calls: one, or several workers. */
export async function expose(snapshots: readonly (readonly MetricSnapshot[])[]): Promise<Exposition> {
  const registry = AggregatorRegistry.aggregate([...snapshots])
  return { contentType: registry.contentType, text: await registry.metrics() }
}

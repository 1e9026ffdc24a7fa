import { Counter } from './counter.ts'
import type { Metric } from './metric.ts'

/** What became of the spans of sampled calls; zero while traces are off. */
export class TraceMetrics {
  readonly #spans = new Counter({
    name: 'qscope_trace_spans_total',
    help: 'Spans by what became of them: exported, refused by the collector or not delivered, or dropped because too many waited.',
    labels: ['outcome'],
  })
  readonly exported = this.#spans.series({ outcome: 'exported' })
  readonly failed = this.#spans.series({ outcome: 'failed' })
  readonly dropped = this.#spans.series({ outcome: 'dropped' })
  readonly metrics: readonly Metric[] = [this.#spans]
}

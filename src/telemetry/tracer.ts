import type { Span } from '../context.ts'
import type { CallInfo } from '../rpc/call-info.ts'
import { Counter, type Metric } from './metric.ts'

/** The receiver of traces, and the share of sampled calls among those without a sampling decision of the caller. */
export interface TracingOptions {
  /** The base URL of an OTLP receiver that takes protobuf over HTTP. */
  readonly endpoint: string
  /** From 0 to 1. */
  readonly ratio: number
}

/** Starts the span of each call, and exports the spans. */
export interface Tracer {
  /** The span of a call to `package.Service/Method`, as part of the caller's trace if it sent one; `undefined` if not sampled. */
  begin(method: string, info: CallInfo): Span | undefined
  /** Sends the waiting spans, for at most `longestMs`, and closes. Never throws. */
  close(longestMs: number): Promise<void>
}

/** The outcome of the spans of sampled calls; zero while traces are off. */
export class TraceMetrics {
  readonly #spans = new Counter({
    name: 'qscope_trace_spans_total',
    help: 'Spans by result: exported, refused by the collector or not delivered, or dropped because too many waited.',
    labels: ['outcome'],
  })
  readonly exported = this.#spans.series({ outcome: 'exported' })
  readonly failed = this.#spans.series({ outcome: 'failed' })
  readonly dropped = this.#spans.series({ outcome: 'dropped' })
  readonly metrics: readonly Metric[] = [this.#spans]
}

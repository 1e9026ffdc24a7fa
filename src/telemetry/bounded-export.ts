import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Logger } from '../logger.ts'
import type { TraceMetrics } from './tracer.ts'

/** Some 2 KiB each. Whoever waits for a collector that is down waits here, and no call does. */
const MOST_WAITING = 4_096
const MOST_IN_ONE_EXPORT = 512
const EXPORT_EVERY_MS = 1_000
const EXPORT_TIMEOUT_MS = 5_000

/**
 * Hands ended spans to an exporter in batches, apart from the calls. What waits
 * is bounded, spans that are being exported included; beyond it new spans are
 * dropped and counted. Says once that exports fail, and once that they do no more.
 */
export class BoundedExport implements SpanProcessor {
  readonly #batches: BatchSpanProcessor
  readonly #metrics: TraceMetrics
  #waiting = 0

  constructor(exporter: SpanExporter, metrics: TraceMetrics, log: Logger) {
    this.#metrics = metrics
    this.#batches = new BatchSpanProcessor({
      exporter: this.#counted(exporter, log),
      maxQueueSize: MOST_WAITING,
      maxExportBatchSize: MOST_IN_ONE_EXPORT,
      scheduledDelayMillis: EXPORT_EVERY_MS,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    })
  }

  onStart(): void {
    // Nothing is due before a span ends.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= MOST_WAITING) {
      this.#metrics.dropped.value += 1
      return
    }
    this.#waiting += 1
    this.#batches.onEnd(span)
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown()
  }

  #counted(exporter: SpanExporter, log: Logger): SpanExporter {
    let failing = false
    const settle = (count: number, { code, error }: ExportResult) => {
      this.#waiting -= count
      const succeeded = code === ExportResultCode.SUCCESS
      const outcome = succeeded ? this.#metrics.exported : this.#metrics.failed
      outcome.value += count
      if (failing === !succeeded) return
      failing = !succeeded
      if (failing) log.warn({ err: error }, 'traces cannot be exported; calls go on, spans are lost')
      else log.info({}, 'traces are exported again')
    }
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          settle(spans.length, result)
          done(result)
        }),
      shutdown: () => exporter.shutdown(),
    }
  }
}

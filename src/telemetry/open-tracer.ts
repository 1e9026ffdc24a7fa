import {
  type Context,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger, Span, SpanFacts } from '../context.ts'
import type { CallInfo } from '../rpc/call-info.ts'
import { boundedTraceParent, boundedTraceState } from '../rpc/trace-context.ts'
import type { TraceMetrics, Tracer, TracingOptions } from './tracer.ts'

const EXPORT_TIMEOUT_MS = 5_000

/** The trace context of callers. A context that cannot be passed on counts as absent. */
const headers: TextMapGetter<CallInfo> = {
  keys: () => ['traceparent', 'tracestate'],
  get: (info, key) => {
    const value = info.header?.(key)
    if (value === undefined) return undefined
    return key === 'tracestate' ? boundedTraceState(value) : boundedTraceParent(value)
  },
}

export interface TracerParts {
  readonly version: string
  /** Tells instances apart: a fresh UUID. */
  readonly instanceId: string
  readonly metrics: TraceMetrics
  readonly log: Logger
}

/**
 * Opens the OpenTelemetry SDK. Only this file loads the SDK, so it is imported only if
 * traces are on.
 */
export function openTracer(options: TracingOptions, parts: TracerParts): Tracer {
  return new SdkTracer(options, parts)
}

class SdkTracer implements Tracer {
  readonly #provider: TracerProvider
  readonly #tracer: OtelTracer
  readonly #propagator = new W3CTraceContextPropagator()
  readonly #log: Logger

  constructor({ endpoint, ratio }: TracingOptions, { version, instanceId, metrics, log }: TracerParts) {
    const exporter = new OTLPTraceExporter({
      url: `${endpoint}${endpoint.endsWith('/') ? '' : '/'}v1/traces`,
      timeoutMillis: EXPORT_TIMEOUT_MS,
    })
    const resource = resourceFromAttributes({
      'service.name': 'qscope',
      'service.version': version,
      'service.instance.id': instanceId,
    }).merge(detectResources({ detectors: [envDetector, serviceNameEnvDetector] }))
    this.#provider = new TracerProvider({
      resource,
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [new BoundedExport(exporter, metrics, log)],
    })
    this.#tracer = this.#provider.getTracer('qscope', version)
    this.#log = log
  }

  begin(method: string, info: CallInfo): Span | undefined {
    const parent: Context = this.#propagator.extract(ROOT_CONTEXT, info, headers)
    const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': method, 'qscope.ray_id': info.rayId }
    const span = this.#tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent)
    return span.isRecording() ? new SdkSpan(this.#tracer, parent, span) : undefined
  }

  async close(longestMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, longestMs)
    try {
      await Promise.race([this.#provider.shutdown(), late])
    } catch (error) {
      this.#log.warn({ err: error }, 'the last spans could not be exported')
    } finally {
      clearTimeout(timer)
    }
  }
}

/** A span of OpenTelemetry's SDK. Its context travels in the call's, so nothing is kept per asynchronous task. */
class SdkSpan implements Span {
  readonly traceId: string
  readonly #tracer: OtelTracer
  readonly #parent: Context
  readonly #span: OtelSpan

  /** `parent`: the context that the span was begun in. */
  constructor(tracer: OtelTracer, parent: Context, span: OtelSpan) {
    this.traceId = span.spanContext().traceId
    this.#tracer = tracer
    this.#parent = parent
    this.#span = span
  }

  beginQuery(name: string, facts: SpanFacts, sharers: readonly Span[] = []): Span {
    const links = sharers.flatMap((sharer) =>
      sharer instanceof SdkSpan ? [{ context: sharer.#span.spanContext() }] : [],
    )
    const context = trace.setSpan(this.#parent, this.#span)
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: facts, links }, context)
    // Links a call to the trace in which a batch did its work.
    for (const sharer of sharers) {
      if (sharer instanceof SdkSpan) sharer.#span.addLink({ context: span.spanContext() })
    }
    return new SdkSpan(this.#tracer, context, span)
  }

  note(event: string, facts: SpanFacts): void {
    this.#span.addEvent(event, facts)
  }

  end(failure: string | null, facts: SpanFacts = {}): void {
    this.#span.setAttributes(facts)
    if (failure !== null) {
      this.#span.setAttribute('error.type', failure)
      this.#span.setStatus({ code: SpanStatusCode.ERROR })
    }
    this.#span.end()
  }
}

/** About 2 KiB each. Spans wait here while the collector is down; calls do not wait. */
const MOST_WAITING = 4_096
const MOST_IN_ONE_EXPORT = 512
const EXPORT_EVERY_MS = 1_000

/**
 * Hands ended spans to an exporter in batches, independent of the calls. The number of
 * waiting spans is bounded and includes those in export. Beyond the bound, new spans are
 * dropped and counted. Logs once when exports begin to fail, and once when they work again.
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
    // There is nothing to export before a span ends.
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
      if (failing) log.warn({ err: error }, 'trace export fails; spans are lost, calls are not affected')
      else log.info({}, 'trace export works again')
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

import { type Context, ROOT_CONTEXT, SpanKind, type TextMapGetter } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector } from '@opentelemetry/resources'
import { ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Logger } from '../logger.ts'
import type { CallInfo } from '../rpc/call-info.ts'
import { boundedTraceParent, boundedTraceState } from '../rpc/trace-context.ts'
import { BoundedExport } from './bounded-export.ts'
import { SdkSpan } from './sdk-span.ts'
import type { TraceMetrics } from './trace-metrics.ts'
import type { Tracer } from './tracer.ts'

/** Where traces go, and how many of the calls that no caller's trace decides for. */
export interface TracingOptions {
  /** The base URL of an OTLP receiver that takes protobuf over HTTP. */
  readonly endpoint: string
  /** From 0 to 1. */
  readonly ratio: number
}

const EXPORT_TIMEOUT_MS = 5_000

/** What callers told of their trace; what cannot be passed on counts as absent. */
const headers: TextMapGetter<CallInfo> = {
  keys: () => ['traceparent', 'tracestate'],
  get: (info, key) => {
    const value = info.header?.(key)
    if (value === undefined) return undefined
    return key === 'tracestate' ? boundedTraceState(value) : boundedTraceParent(value)
  },
}

/**
 * Opens OpenTelemetry's SDK. This file, and it alone, loads it, so it is
 * imported only where traces are on.
 */
export function openTracer(
  { endpoint, ratio }: TracingOptions,
  { version, instanceId, metrics, log }: TracerParts,
): Tracer {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}${endpoint.endsWith('/') ? '' : '/'}v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const resource = resourceFromAttributes({
    'service.name': 'qscope',
    'service.version': version,
    'service.instance.id': instanceId,
  }).merge(detectResources({ detectors: [envDetector, serviceNameEnvDetector] }))
  const provider = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BoundedExport(exporter, metrics, log)],
  })
  const tracer = provider.getTracer('qscope', version)
  const propagator = new W3CTraceContextPropagator()

  return {
    begin: (method, info) => {
      const parent: Context = propagator.extract(ROOT_CONTEXT, info, headers)
      const attributes = { 'rpc.system.name': 'grpc', 'rpc.method': method, 'qscope.ray_id': info.rayId }
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent)
      return span.isRecording() ? new SdkSpan(tracer, parent, span) : undefined
    },
    close: async (longestMs) => {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, longestMs)
      try {
        await Promise.race([provider.shutdown(), late])
      } catch (error) {
        log.warn({ err: error }, 'the last traces could not be exported')
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

export interface TracerParts {
  readonly version: string
  /** Tells instances apart: a fresh UUID. */
  readonly instanceId: string
  readonly metrics: TraceMetrics
  readonly log: Logger
}

import type { AuthenticationObserver } from '../auth/authentication-failures.ts'
import type { FlowObserver } from '../flows/runner.ts'
import type { Logger } from '../logger.ts'
import type { CallObserver } from '../rpc/call-observer.ts'
import type { StoreObserver } from '../stores/store-observer.ts'
import { CallMetrics } from './call-metrics.ts'
import { FlowMetrics } from './flow-metrics.ts'
import type { MetricSnapshot } from './metric.ts'
import { type Exposition, expose, Metrics } from './metrics.ts'
import { observeCalls } from './observe-calls.ts'
import { observeStores } from './observe-stores.ts'
import type { TracingOptions } from './open-tracer.ts'
import { type ServerState, stateMetrics } from './state-metrics.ts'
import { StoreMetrics } from './store-metrics.ts'
import { TraceMetrics } from './trace-metrics.ts'

/** Those who see what the layers do. */
export interface Observers {
  readonly calls: CallObserver
  readonly flows: FlowObserver & AuthenticationObserver
  readonly stores: StoreObserver
}

export interface Telemetry extends Observers {
  /** Shows the state of the server too, from now on. */
  watch(server: ServerState): void
  /** What this process has measured, fit to be sent to another one that exposes the workers' together. */
  snapshot(): Promise<readonly MetricSnapshot[]>
  /** The same as the text of a `/metrics` page. */
  metrics(): Promise<Exposition>
  /** Sends the last spans, for so long at most. Never throws. */
  close(longestMs: number): Promise<void>
}

export interface TelemetryOptions {
  /** `null`: no traces, and nothing of OpenTelemetry's SDK is loaded. */
  readonly tracing: TracingOptions | null
  readonly databaseUrl: string
  /** Of QScope. */
  readonly version: string
  /** Tells instances apart: a fresh UUID. */
  readonly instanceId: string
  readonly log: Logger
}

/** Opens what measures and traces a server. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { tracing, databaseUrl, version, instanceId, log } = options
  const calls = new CallMetrics()
  const flows = new FlowMetrics()
  const stores = new StoreMetrics()
  const traces = new TraceMetrics()
  const metrics = new Metrics([...calls.metrics, ...flows.metrics, ...stores.metrics, ...traces.metrics])
  const tracer =
    tracing === null
      ? null
      : (await import('./open-tracer.ts')).openTracer(tracing, { version, instanceId, metrics: traces, log })
  return {
    calls: observeCalls(calls, tracer),
    flows,
    stores: observeStores(stores, databaseUrl),
    watch: (server) => metrics.add(stateMetrics(server, version)),
    snapshot: () => metrics.snapshot(),
    metrics: async () => await expose([await metrics.snapshot()]),
    close: async (longestMs) => await tracer?.close(longestMs),
  }
}

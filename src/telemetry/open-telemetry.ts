import type { AuthenticationObserver } from '../auth/authentication-failures.ts'
import type { KeyReadObserver } from '../auth/key-sources.ts'
import type { Logger } from '../context.ts'
import type { FlowObserver } from '../flows/runner.ts'
import type { CallObserver } from '../rpc/call-observer.ts'
import type { StoreObserver } from '../stores/contract/store-observer.ts'
import { FlowMetrics } from './flow-metrics.ts'
import { KeyMetrics } from './key-metrics.ts'
import type { MetricSnapshot } from './metric.ts'
import { type Exposition, expose, Metrics } from './metrics.ts'
import { CallMetrics, CallTelemetry } from './observe-calls.ts'
import { StoreMetrics, StoreTelemetry } from './observe-stores.ts'
import type { CallTotals } from './recent-rates.ts'
import { type ServerState, stateMetrics } from './state-metrics.ts'
import { TraceMetrics, type Tracer, type TracingOptions } from './tracer.ts'

/** The observers of the layers. */
export interface Observers {
  readonly calls: CallObserver
  readonly flows: FlowObserver & AuthenticationObserver
  readonly stores: StoreObserver
  readonly keys: KeyReadObserver
  /** The calls that this process has answered and refused. */
  readonly callTotals: () => CallTotals
}

export interface TelemetryOptions {
  /** `null` turns traces off; the OpenTelemetry SDK is then not loaded. */
  readonly tracing: TracingOptions | null
  readonly databaseUrl: string
  /** Of QScope. */
  readonly version: string
  /** Tells instances apart: a fresh UUID. */
  readonly instanceId: string
  readonly log: Logger
}

/** The metrics and traces of a server. */
export class Telemetry implements Observers {
  readonly calls: CallObserver
  readonly flows: FlowMetrics
  readonly stores: StoreObserver
  readonly keys: KeyMetrics
  readonly callTotals: () => CallTotals
  readonly #metrics: Metrics
  readonly #tracer: Tracer | null
  readonly #version: string

  constructor({ databaseUrl, version }: TelemetryOptions, traces: TraceMetrics, tracer: Tracer | null) {
    const calls = new CallMetrics()
    const stores = new StoreMetrics()
    this.calls = new CallTelemetry(calls, tracer)
    this.flows = new FlowMetrics()
    this.stores = new StoreTelemetry(stores, databaseUrl)
    this.keys = new KeyMetrics()
    this.callTotals = () => calls.totals()
    const parts = [calls, this.flows, stores, this.keys, traces]
    this.#metrics = new Metrics(parts.flatMap(({ metrics }) => metrics))
    this.#tracer = tracer
    this.#version = version
  }

  /** Adds the metrics of the server's state. */
  watch(server: ServerState): void {
    this.#metrics.add(stateMetrics(server, this.#version))
  }

  /** The metrics of this process, in a form that can be sent to the process that exposes those of all workers. */
  async snapshot(): Promise<readonly MetricSnapshot[]> {
    return await this.#metrics.snapshot()
  }

  /** The same as the text of a `/metrics` page. */
  async metrics(): Promise<Exposition> {
    return await expose([await this.#metrics.snapshot()])
  }

  /** Sends the last spans, for at most `longestMs`. Never throws. */
  async close(longestMs: number): Promise<void> {
    await this.#tracer?.close(longestMs)
  }
}

/** Opens the metrics and traces of a server. The OpenTelemetry SDK is loaded only if traces are on. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { tracing, version, instanceId, log } = options
  const metrics = new TraceMetrics()
  if (tracing === null) return new Telemetry(options, metrics, null)
  const { openTracer } = await import('./open-tracer.ts')
  return new Telemetry(options, metrics, openTracer(tracing, { version, instanceId, metrics, log }))
}

import type { AuthenticationObserver } from '../auth/authentication-failures.ts'
import type { Logger } from '../context.ts'
import type { FlowObserver } from '../flows/runner.ts'
import type { CallObserver } from '../rpc/call-observer.ts'
import type { StoreObserver } from '../stores/contract/store-observer.ts'
import { FlowMetrics } from './flow-metrics.ts'
import type { MetricSnapshot } from './metric.ts'
import { type Exposition, expose, Metrics } from './metrics.ts'
import { CallMetrics, CallTelemetry } from './observe-calls.ts'
import { StoreMetrics, StoreTelemetry } from './observe-stores.ts'
import type { CallTotals } from './recent-rates.ts'
import { type ServerState, stateMetrics } from './state-metrics.ts'
import { TraceMetrics, type Tracer, type TracingOptions } from './tracer.ts'

/** Those who see what the layers do. */
export interface Observers {
  readonly calls: CallObserver
  readonly flows: FlowObserver & AuthenticationObserver
  readonly stores: StoreObserver
  /** How many calls this process has answered and refused. */
  readonly callTotals: () => CallTotals
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

/** What measures and traces a server. */
export class Telemetry implements Observers {
  readonly calls: CallObserver
  readonly flows: FlowMetrics
  readonly stores: StoreObserver
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
    this.callTotals = () => calls.totals()
    this.#metrics = new Metrics([...calls.metrics, ...this.flows.metrics, ...stores.metrics, ...traces.metrics])
    this.#tracer = tracer
    this.#version = version
  }

  /** Shows the state of the server too, from now on. */
  watch(server: ServerState): void {
    this.#metrics.add(stateMetrics(server, this.#version))
  }

  /** What this process has measured, fit to be sent to another one that exposes the workers' together. */
  async snapshot(): Promise<readonly MetricSnapshot[]> {
    return await this.#metrics.snapshot()
  }

  /** The same as the text of a `/metrics` page. */
  async metrics(): Promise<Exposition> {
    return await expose([await this.#metrics.snapshot()])
  }

  /** Sends the last spans, for so long at most. Never throws. */
  async close(longestMs: number): Promise<void> {
    await this.#tracer?.close(longestMs)
  }
}

/** Opens what measures and traces a server; OpenTelemetry's SDK is loaded only where traces are on. */
export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { tracing, version, instanceId, log } = options
  const metrics = new TraceMetrics()
  if (tracing === null) return new Telemetry(options, metrics, null)
  const { openTracer } = await import('./open-tracer.ts')
  return new Telemetry(options, metrics, openTracer(tracing, { version, instanceId, metrics, log }))
}

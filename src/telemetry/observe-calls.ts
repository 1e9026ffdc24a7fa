import type { Span } from '../context.ts'
import { type ErrorCode, registry } from '../errors/registry.ts'
import type { CallInfo } from '../rpc/call-info.ts'
import type { CallObserver, EndStatus, MethodObserver } from '../rpc/call-observer.ts'
import { reasonOf } from '../rpc/rpc-status.ts'
import { CALL_SECONDS, type Count, Counter, type Distribution, Histogram, type Metric, Reading } from './metric.ts'
import type { CallTotals } from './recent-rates.ts'
import type { Tracer } from './tracer.ts'

/** The keys of the error registry. */
const REASONS = Object.freeze(Object.keys(registry) as ErrorCode[])

/** Counts and times calls. Only served methods, registered reasons and gRPC's statuses become labels. */
export class CallMetrics {
  readonly #calls = new Counter({
    name: 'qscope_calls_total',
    help: 'Calls that have ended, by status.',
    labels: ['service', 'method', 'code'],
  })
  readonly #durations = new Histogram(
    {
      name: 'qscope_call_duration_seconds',
      help: 'How long calls took, including streams, from the parsed head of the request to the answer.',
      labels: ['service', 'method'],
    },
    CALL_SECONDS,
  )
  readonly #failures = new Counter({
    name: 'qscope_failures_total',
    help: 'Calls that were refused, by the reason in their ErrorInfo.',
    labels: ['reason'],
  })
  readonly #failuresBy = this.#failures.seriesOf(REASONS, (code) => ({ reason: reasonOf(code) }))
  readonly #methods: MethodMetrics[] = []

  readonly metrics: readonly Metric[] = [
    this.#calls,
    this.#durations,
    new Reading(
      {
        name: 'qscope_calls_in_flight',
        type: 'gauge',
        help: 'Calls that are running, including open streams.',
        labels: ['service', 'method'],
      },
      () => this.#methods.map(({ labels, running }) => ({ labels, value: running })),
    ),
    this.#failures,
  ]

  of(labels: MethodLabels): MethodMetrics {
    const method = new MethodMetrics(labels, this.#durations.series(labels), this.#calls, this.#failuresBy)
    this.#methods.push(method)
    return method
  }

  /** The totals since the start. */
  totals(): CallTotals {
    return {
      calls: new Map(this.#methods.map(({ labels: { service, method }, ended }) => [`${service}/${method}`, ended])),
      refusals: new Map(REASONS.map((code) => [code, this.#failuresBy[code].value])),
    }
  }
}

type MethodLabels = Readonly<Record<'service' | 'method', string>>

/** The calls of one method. */
class MethodMetrics {
  readonly labels: MethodLabels
  readonly #duration: Distribution
  readonly #calls: Counter<'service' | 'method' | 'code'>
  readonly #byStatus: Map<EndStatus, Count>
  readonly #failures: Readonly<Record<ErrorCode, Count>>
  #running = 0
  #ended = 0

  constructor(
    labels: MethodLabels,
    duration: Distribution,
    calls: Counter<'service' | 'method' | 'code'>,
    failures: Readonly<Record<ErrorCode, Count>>,
  ) {
    this.labels = labels
    this.#duration = duration
    this.#calls = calls
    this.#byStatus = new Map([['OK', calls.series({ ...labels, code: 'OK' })]])
    this.#failures = failures
  }

  get running(): number {
    return this.#running
  }

  /** The number of calls that have ended. */
  get ended(): number {
    return this.#ended
  }

  begin(): void {
    this.#running += 1
  }

  end(code: EndStatus, reason: ErrorCode | null, durationMs: number): void {
    this.#running -= 1
    this.#ended += 1
    this.#duration.observe(durationMs / 1_000)
    let count = this.#byStatus.get(code)
    if (count === undefined) {
      count = this.#calls.series({ ...this.labels, code })
      this.#byStatus.set(code, count)
    }
    count.value += 1
    if (reason !== null) this.#failures[reason].value += 1
  }
}

/**
 * OpenTelemetry's semantic conventions for RPC: on a server these are its own
 * failures; the others are answers that a caller brought about.
 */
const SERVER_FAILURES: ReadonlySet<EndStatus> = new Set<EndStatus>([
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
])

/** Counts every call, and lets the tracer follow those that are sampled. */
export class CallTelemetry implements CallObserver {
  readonly #metrics: CallMetrics
  readonly #tracer: Tracer | null

  constructor(metrics: CallMetrics, tracer: Tracer | null) {
    this.#metrics = metrics
    this.#tracer = tracer
  }

  of({ parent, name }: Method): MethodObserver {
    const counted = this.#metrics.of({ service: parent.typeName, method: name })
    return new MethodTelemetry(`${parent.typeName}/${name}`, counted, this.#tracer)
  }
}

/** The labels of a method. */
interface Method {
  readonly name: string
  readonly parent: { readonly typeName: string }
}

class MethodTelemetry implements MethodObserver {
  readonly #method: string
  readonly #counted: MethodMetrics
  readonly #tracer: Tracer | null

  constructor(method: string, counted: MethodMetrics, tracer: Tracer | null) {
    this.#method = method
    this.#counted = counted
    this.#tracer = tracer
  }

  begun(info: CallInfo): Span | undefined {
    this.#counted.begin()
    return this.#tracer?.begin(this.#method, info)
  }

  ended(status: EndStatus, reason: ErrorCode | null, durationMs: number, span: Span | undefined): void {
    this.#counted.end(status, reason, durationMs)
    span?.end(SERVER_FAILURES.has(status) ? status : null, {
      'rpc.response.status_code': status,
      ...(reason === null ? {} : { 'qscope.reason': reason }),
    })
  }
}

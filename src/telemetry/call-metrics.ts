import { type ErrorCode, registry } from '../errors/registry.ts'
import type { EndStatus } from '../rpc/call-observer.ts'
import { reasonOf } from '../rpc/rpc-status.ts'
import { CALL_SECONDS, type Distribution, Histogram } from './histogram.ts'
import { type Count, Counter, type Metric, Reading } from './metric.ts'

/** Counts and times calls. Only served methods, registered reasons and gRPC's statuses become labels. */
export class CallMetrics {
  readonly #calls = new Counter({
    name: 'qscope_calls_total',
    help: 'Calls that ended, by the status they ended with.',
    labels: ['service', 'method', 'code'],
  })
  readonly #durations = new Histogram(
    {
      name: 'qscope_call_duration_seconds',
      help: 'How long calls took, streams included, from the parsed head of the request to the answer.',
      labels: ['service', 'method'],
    },
    CALL_SECONDS,
  )
  readonly #failures = new Counter({
    name: 'qscope_failures_total',
    help: 'Calls that were refused, by the reason that their ErrorInfo gives.',
    labels: ['reason'],
  })
  /** The keys are those of the registry, whose type says so. */
  readonly #failuresBy = this.#failures.seriesOf(Object.keys(registry) as ErrorCode[], (code) => ({
    reason: reasonOf(code),
  }))
  readonly #methods: MethodMetrics[] = []

  readonly metrics: readonly Metric[] = [
    this.#calls,
    this.#durations,
    new Reading(
      {
        name: 'qscope_calls_in_flight',
        type: 'gauge',
        help: 'Calls that run now, open streams included.',
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
}

type MethodLabels = Readonly<Record<'service' | 'method', string>>

/** The calls of one method. */
export class MethodMetrics {
  readonly labels: MethodLabels
  readonly #duration: Distribution
  readonly #calls: Counter<'service' | 'method' | 'code'>
  readonly #byStatus: Map<EndStatus, Count>
  readonly #failures: Readonly<Record<ErrorCode, Count>>
  #running = 0

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

  begun(): void {
    this.#running += 1
  }

  ended(code: EndStatus, reason: ErrorCode | null, durationMs: number): void {
    this.#running -= 1
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

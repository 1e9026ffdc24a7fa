import { type ErrorCode, registry } from '../errors/registry.ts'
import type { EndStatus } from '../rpc/call-observer.ts'
import { reasonOf } from '../rpc/rpc-status.ts'
import { type Count, Counter } from './counter.ts'
import { CALL_SECONDS, Histogram } from './histogram.ts'
import type { Metric } from './metric.ts'
import { reading } from './reading.ts'

interface MethodCalls {
  readonly labels: Readonly<Record<'service' | 'method', string>>
  running: number
}

/** The calls of one method. */
export interface MethodMetrics {
  begun(): void
  ended(status: EndStatus, reason: ErrorCode | null, durationMs: number): void
}

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
  readonly #failuresBy = new Map<ErrorCode, Count>()
  readonly #methods: MethodCalls[] = []

  readonly metrics: readonly Metric[] = [
    this.#calls,
    this.#durations,
    reading(
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

  constructor() {
    // The keys of the registry, whose type says so.
    for (const code of Object.keys(registry) as ErrorCode[]) {
      this.#failuresBy.set(code, this.#failures.series({ reason: reasonOf(code) }))
    }
  }

  of(labels: MethodCalls['labels']): MethodMetrics {
    const method: MethodCalls = { labels, running: 0 }
    this.#methods.push(method)
    const duration = this.#durations.series(labels)
    const byStatus = new Map<EndStatus, Count>([['OK', this.#calls.series({ ...labels, code: 'OK' })]])
    return {
      begun: () => {
        method.running += 1
      },
      ended: (code, reason, durationMs) => {
        method.running -= 1
        duration.observe(durationMs / 1_000)
        let count = byStatus.get(code)
        if (count === undefined) {
          count = this.#calls.series({ ...labels, code })
          byStatus.set(code, count)
        }
        count.value += 1
        const failures = reason === null ? undefined : this.#failuresBy.get(reason)
        if (failures !== undefined) failures.value += 1
      },
    }
  }
}

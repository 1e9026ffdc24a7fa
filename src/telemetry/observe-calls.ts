import type { ErrorCode } from '../errors/registry.ts'
import type { CallInfo } from '../rpc/call-info.ts'
import type { CallObserver, EndStatus, MethodObserver } from '../rpc/call-observer.ts'
import type { Span } from '../trace.ts'
import type { CallMetrics, MethodMetrics } from './call-metrics.ts'
import type { Tracer } from './tracer.ts'

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

/** What is told of a method. */
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
    this.#counted.begun()
    return this.#tracer?.begin(this.#method, info)
  }

  ended(status: EndStatus, reason: ErrorCode | null, durationMs: number, span: Span | undefined): void {
    this.#counted.ended(status, reason, durationMs)
    span?.end(SERVER_FAILURES.has(status) ? status : null, {
      'rpc.response.status_code': status,
      ...(reason === null ? {} : { 'qscope.reason': reason }),
    })
  }
}

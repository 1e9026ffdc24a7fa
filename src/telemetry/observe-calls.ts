import type { CallObserver, EndStatus } from '../rpc/call-observer.ts'
import type { CallMetrics } from './call-metrics.ts'
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
export function observeCalls(metrics: CallMetrics, tracer: Tracer | null): CallObserver {
  return {
    of: ({ parent, name }) => {
      const counted = metrics.of({ service: parent.typeName, method: name })
      const method = `${parent.typeName}/${name}`
      return {
        begun: (info) => {
          counted.begun()
          return tracer?.begin(method, info)
        },
        ended: (status, reason, durationMs, span) => {
          counted.ended(status, reason, durationMs)
          span?.end(SERVER_FAILURES.has(status) ? status : null, {
            'rpc.response.status_code': status,
            ...(reason === null ? {} : { 'qscope.reason': reason }),
          })
        },
      }
    },
  }
}

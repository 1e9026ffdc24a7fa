import type { Read } from './connections.ts'
import type { Environment } from './environment.ts'
import { SCHEMAS } from './schemas.ts'
import { VARIABLES } from './variables.ts'

/** Where traces go, and of how many calls. */
export interface Tracing {
  /** The base URL of a receiver of OTLP over HTTP, as it was written. */
  readonly endpoint: string
  /** The share of the calls that no caller's trace decides for, from 0 to 1. */
  readonly ratio: number
}

/** `null`: nothing is traced. */
export function readTracing({ values }: Environment, read: Read): Tracing | null {
  const ratio = read('QSCOPE_TRACE_RATIO', SCHEMAS.ratio, VARIABLES.QSCOPE_TRACE_RATIO.fallback)
  if (!values.has('QSCOPE_OTLP_ENDPOINT')) return null
  return Object.freeze({ endpoint: read('QSCOPE_OTLP_ENDPOINT', SCHEMAS.endpoint, 'http://127.0.0.1:4318'), ratio })
}

/** Both variables as they are written. */
export function tracingSettings(tracing: Tracing | null) {
  return {
    QSCOPE_OTLP_ENDPOINT: tracing?.endpoint ?? '(no traces)',
    QSCOPE_TRACE_RATIO: tracing === null ? '(no traces)' : String(tracing.ratio),
  }
}

import { holdsSecret } from '../domain/secret-text.ts'

const RAY_ID = /^[A-Za-z0-9._-]{1,128}$/
/** W3C Trace Context §3.2: version, trace-id, parent-id, flags. Later versions may append fields. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** The metadata key of the ray id in requests and answers. */
export const RAY_ID_KEY = 'x-ray-id'

/** The headers of a call. */
export interface HeaderSource {
  /** The first value of a header. The name is in lower case. */
  header(name: string): string | undefined
}

/**
 * The id that correlates a call: the caller's `x-ray-id`, else the trace id of its `traceparent`, else a new one. A malformed
 * id counts as absent, so that it does not reach logs and rows.
 */
export function rayIdOf(headers: HeaderSource, newRayId: () => string): string {
  const given = headers.header(RAY_ID_KEY)
  if (given !== undefined && RAY_ID.test(given) && !holdsSecret(given)) return given
  const trace = boundedTraceParent(headers.header('traceparent') ?? '')
  return (trace !== undefined && TRACEPARENT.exec(trace)?.[1]) || newRayId()
}

/** W3C Trace Context §3.3.1.5: at least this many characters must be propagated. */
const MAX_TRACE_STATE = 512
/** §3.3.1.1. */
const MAX_TRACE_STATE_MEMBERS = 32
/** §3.2: 55 characters. Later versions may append fields. */
const MAX_TRACE_PARENT = 256

/** The `traceparent` of an unauthenticated caller. `undefined`: it is longer than any in use. */
export function boundedTraceParent(value: string): string | undefined {
  return value.length > MAX_TRACE_PARENT ? undefined : value
}

/**
 * The caller's `tracestate` without members beyond 512 characters and after the 32nd, which are not parsed. `undefined` if it
 * contains a secret.
 */
export function boundedTraceState(value: string): string | undefined {
  const members = value.slice(0, MAX_TRACE_STATE + 1).split(',')
  // The last member may be truncated.
  if (value.length > MAX_TRACE_STATE) members.pop()
  const state = members.slice(0, MAX_TRACE_STATE_MEMBERS).join(',')
  return state === '' || holdsSecret(state) ? undefined : state
}

import { holdsSecret } from '../domain/secret-text.ts'

const RAY_ID = /^[A-Za-z0-9._-]{1,128}$/
/** W3C Trace Context §3.2: version, trace-id, parent-id, flags; later versions may append. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** The metadata key that carries the ray id, in and out. */
export const RAY_ID_KEY = 'x-ray-id'

/** What a caller sends with a call. */
export interface HeaderSource {
  /** The first value of a name, which is in lower case. */
  header(name: string): string | undefined
}

/**
 * The id that correlates a call: the caller's `x-ray-id`, else the trace id of
 * its `traceparent`, else a fresh one. What is malformed counts as absent, so
 * that nothing of unknown shape reaches logs and rows.
 */
export function rayIdOf(headers: HeaderSource, newRayId: () => string): string {
  const given = headers.header(RAY_ID_KEY)
  if (given !== undefined && RAY_ID.test(given) && !holdsSecret(given)) return given
  const trace = boundedTraceParent(headers.header('traceparent') ?? '')
  return (trace !== undefined && TRACEPARENT.exec(trace)?.[1]) || newRayId()
}

/** W3C Trace Context §3.3.1.5: as many characters are passed on; what is longer need not be. */
const MAX_TRACE_STATE = 512
/** §3.3.1.1. */
const MAX_TRACE_STATE_MEMBERS = 32
/** §3.2: 55 characters; later versions may append something. */
const MAX_TRACE_PARENT = 256

/** The `traceparent` of a caller, whom nobody has authenticated yet; `undefined`: it is longer than any in use. */
export function boundedTraceParent(value: string): string | undefined {
  return value.length > MAX_TRACE_PARENT ? undefined : value
}

/**
 * The `tracestate` of a caller without the members beyond 512 characters and the
 * 32nd, which are not looked at. One with a secret in it is not passed on at all.
 */
export function boundedTraceState(value: string): string | undefined {
  const members = value.slice(0, MAX_TRACE_STATE + 1).split(',')
  // The last one may have been cut.
  if (value.length > MAX_TRACE_STATE) members.pop()
  const state = members.slice(0, MAX_TRACE_STATE_MEMBERS).join(',')
  return state === '' || holdsSecret(state) ? undefined : state
}

import { holdsSecret } from '../domain/secret-text.ts'
import { boundedTraceParent } from './trace-context.ts'

const RAY_ID = /^[A-Za-z0-9._-]{1,128}$/
/** W3C Trace Context §3.2: version, trace-id, parent-id, flags; later versions may append. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** The metadata key that carries the ray id, in and out. */
export const RAY_ID_KEY = 'x-ray-id'

/**
 * The id that correlates a call: the caller's `x-ray-id`, else the trace id of
 * its `traceparent`, else a fresh one. What is malformed counts as absent, so
 * that nothing of unknown shape reaches logs and rows.
 */
export function rayIdOf(first: (key: string) => string | undefined, newRayId: () => string): string {
  const given = first(RAY_ID_KEY)
  if (given !== undefined && RAY_ID.test(given) && !holdsSecret(given)) return given
  const trace = boundedTraceParent(first('traceparent') ?? '')
  return (trace !== undefined && TRACEPARENT.exec(trace)?.[1]) || newRayId()
}

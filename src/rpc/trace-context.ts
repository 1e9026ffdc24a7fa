import { holdsSecret } from '../domain/secret-text.ts'

/** W3C Trace Context §3.3.1.5: as many characters are passed on; what is longer need not be. */
const LONGEST_TRACE_STATE = 512
/** §3.3.1.1. */
const MOST_MEMBERS = 32
/** §3.2: 55 characters; later versions may append something. */
const LONGEST_TRACE_PARENT = 256

/** The `traceparent` of a caller, whom nobody has authenticated yet; `undefined`: it is longer than any in use. */
export function boundedTraceParent(value: string): string | undefined {
  return value.length > LONGEST_TRACE_PARENT ? undefined : value
}

/**
 * The `tracestate` of a caller without the members beyond 512 characters and the
 * 32nd, which are not looked at. One with a secret in it is not passed on at all.
 */
export function boundedTraceState(value: string): string | undefined {
  const members = value.slice(0, LONGEST_TRACE_STATE + 1).split(',')
  // The last one may have been cut.
  if (value.length > LONGEST_TRACE_STATE) members.pop()
  const state = members.slice(0, MOST_MEMBERS).join(',')
  return state === '' || holdsSecret(state) ? undefined : state
}

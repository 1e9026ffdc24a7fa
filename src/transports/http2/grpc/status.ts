import type { Metadata } from './metadata.ts'

/** The codes of gRPC ("Status codes and their use in gRPC"). */
export const StatusCode = Object.freeze({
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
})

/** The end of a call. */
export interface CallStatus {
  readonly code: number
  /** A message for people; empty: none is sent. */
  readonly message: string
  /** Metadata that is sent in the trailers; `null`: none. */
  readonly metadata: Metadata | null
}

export const OK: CallStatus = Object.freeze({ code: StatusCode.OK, message: '', metadata: null })

/** The status of a call with a message, and optionally metadata. */
export function callStatus(code: number, message: string, metadata: Metadata | null = null): CallStatus {
  return { code, message, metadata }
}

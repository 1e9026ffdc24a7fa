/** The gRPC statuses by number (the transport's, not QScope's: `reason` says more). */
const NAMES = Object.freeze([
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const)

/** The name of a gRPC status, such as `PERMISSION_DENIED`. */
export type StatusName = (typeof NAMES)[number]

/** `UNKNOWN` for a number that is none, as gRPC has it. */
export function statusName(code: number): StatusName {
  return NAMES[code] ?? 'UNKNOWN'
}

/** The number of a gRPC status. */
export function statusCode(name: StatusName): number {
  return NAMES.indexOf(name)
}

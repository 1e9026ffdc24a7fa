import { createRegistry } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { registry, type StatusName } from '../errors/registry.ts'
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts'
import { type Interruption, toRpcStatus } from '../grpc/errors.ts'
import type { FailedResult } from '../results.ts'

const DETAILS = createRegistry(file_google_rpc_error_details)

const CODES = Object.freeze({
  INVALID_ARGUMENT: Code.InvalidArgument,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  PERMISSION_DENIED: Code.PermissionDenied,
  UNAUTHENTICATED: Code.Unauthenticated,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
  FAILED_PRECONDITION: Code.FailedPrecondition,
  ABORTED: Code.Aborted,
  UNIMPLEMENTED: Code.Unimplemented,
  INTERNAL: Code.Internal,
  UNAVAILABLE: Code.Unavailable,
} satisfies Record<StatusName, Code>)

/** A refusal in Connect's words, with the same details as on gRPC. */
export function toConnectError(failed: FailedResult, rayId: string, helpBase: string): ConnectError {
  const { message, details } = toRpcStatus(failed, rayId, helpBase)
  const outgoing = details.flatMap((packed) => {
    const value = anyUnpack(packed, DETAILS)
    const desc = value && DETAILS.getMessage(value.$typeName)
    return value === undefined || desc === undefined ? [] : [{ desc, value }]
  })
  return new ConnectError(message, CODES[registry[failed.code].status], headersOf(failed), outgoing)
}

/** What a call ends with where nobody waits: the transport's own status, without details. */
export function toInterruptedError({ kind, message }: Pick<Interruption, 'kind' | 'message'>): ConnectError {
  return new ConnectError(message, kind === 'CANCELLED' ? Code.Canceled : Code.DeadlineExceeded)
}

/** RFC 9110 §10.2.3, in whole seconds. */
function headersOf({ details: { retryAfterMs } }: FailedResult): Record<string, string> {
  return retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }
}

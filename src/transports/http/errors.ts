import { createRegistry } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { registry, type StatusName } from '../../errors/registry.ts'
import { file_google_rpc_error_details } from '../../gen/google/rpc/error_details_pb.ts'
import type { FailedResult } from '../../results.ts'
import type { CallEnded, CallInfo } from '../../rpc/call-info.ts'
import { challengeOf } from '../../rpc/challenge.ts'
import { toRpcStatus } from '../../rpc/rpc-status.ts'

const DETAILS = createRegistry(file_google_rpc_error_details)

/** The Connect code of each gRPC status. */
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

/** The Connect error for a refusal, with the same details as on gRPC. */
export function toConnectError(
  failed: FailedResult,
  { rayId, authorization }: CallInfo,
  helpBase: string | undefined,
): ConnectError {
  const { message, details } = toRpcStatus(failed, rayId, helpBase)
  const outgoing = details.flatMap((packed) => {
    const value = anyUnpack(packed, DETAILS)
    const desc = value && DETAILS.getMessage(value.$typeName)
    return value === undefined || desc === undefined ? [] : [{ desc, value }]
  })
  return new ConnectError(message, CODES[registry[failed.code].status], headersOf(failed, authorization), outgoing)
}

/** The error of a call that ended because its caller no longer waits: the transport's own status, without details. */
export function toEndedError({ kind, message }: CallEnded): ConnectError {
  return new ConnectError(message, kind === 'CANCELLED' ? Code.Canceled : Code.DeadlineExceeded)
}

function headersOf(failed: FailedResult, authorization: readonly string[]): Record<string, string> {
  const { retryAfterMs } = failed.details
  const challenge = challengeOf(failed, authorization)
  return {
    // RFC 9110 §10.2.3: in whole seconds.
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
    ...(challenge !== null && { 'www-authenticate': challenge }),
  }
}

import { createRegistry } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { type ErrorCode, registry, type StatusName } from '../errors/registry.ts'
import { file_google_rpc_error_details } from '../gen/google/rpc/error_details_pb.ts'
import type { CallOrigin } from '../grpc/call-origin.ts'
import { type Interruption, toRpcStatus } from '../grpc/errors.ts'
import type { FailedResult } from '../results.ts'

const DETAILS = createRegistry(file_google_rpc_error_details)

/** The status of a refusal, as Connect counts it. */
export const CODES = Object.freeze({
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
export function toConnectError(
  failed: FailedResult,
  { rayId, authorization }: CallOrigin,
  helpBase: string,
): ConnectError {
  const { message, details } = toRpcStatus(failed, rayId, helpBase)
  const outgoing = details.flatMap((packed) => {
    const value = anyUnpack(packed, DETAILS)
    const desc = value && DETAILS.getMessage(value.$typeName)
    return value === undefined || desc === undefined ? [] : [{ desc, value }]
  })
  return new ConnectError(
    message,
    CODES[registry[failed.code].status],
    headersOf(failed, authorization.length > 0),
    outgoing,
  )
}

/** What a call ends with where nobody waits: the transport's own status, without details. */
export function toInterruptedError({ kind, message }: Interruption): ConnectError {
  return new ConnectError(message, kind === 'CANCELLED' ? Code.Canceled : Code.DeadlineExceeded)
}

function headersOf({ code, details: { retryAfterMs } }: FailedResult, triedToProve: boolean): Record<string, string> {
  const challenge = challengeOf(code, triedToProve)
  return {
    // RFC 9110 §10.2.3, in whole seconds.
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
    ...(challenge !== null && { 'www-authenticate': challenge }),
  }
}

/** RFC 9110 §11.6.1: a 401 says how to prove oneself. `null`: the answer is none. */
function challengeOf(code: ErrorCode, triedToProve: boolean): string | null {
  // RFC 6749 §5.2.
  if (code === 'oauth.invalid_client') return 'Basic realm="qscope", charset="UTF-8"'
  if (code !== 'oauth.invalid_token') return null
  // RFC 6750 §3.1: who showed no token is told of no error.
  return triedToProve ? 'Bearer realm="qscope", error="invalid_token"' : 'Bearer realm="qscope"'
}

import { Code, ConnectError } from '@connectrpc/connect'
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.ts'
import { wordsOf } from '../text.ts'

/** Why a call did not succeed, as the pages show it. */
export interface Refusal {
  /** For people. */
  readonly message: string
  /** The reason of the registry, such as `RESOURCE_CONFLICT`; empty where the server gave none. */
  readonly reason: string
  /** By which the server's log knows the call; empty where it never arrived. */
  readonly rayId: string
  /** What is wrong with which field of the request. */
  readonly violations: readonly { readonly field: string; readonly description: string }[]
  /** The permissions that the token lacks. */
  readonly missingPermissions: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  /** Whether there was no answer at all. */
  readonly isLost: boolean
  /** Whether a change that was asked for may have been made: there was no answer, or the server failed on the way. */
  readonly isUncertain: boolean
  /** Whether the server no longer accepts the session's own token. */
  readonly endsSession: boolean
}

/** What a refusal of the server, or a failure on the way to it, comes to. */
export function refusalOf(error: unknown): Refusal {
  const failure = ConnectError.from(error)
  const [info] = failure.findDetails(ErrorInfoSchema)
  const [request] = failure.findDetails(RequestInfoSchema)
  const [bad] = failure.findDetails(BadRequestSchema)
  const metadata = info?.metadata ?? {}
  const reason = info?.reason ?? ''
  const isLost = reason === '' && LOST.has(failure.code)
  return {
    message: isLost ? 'The server did not answer.' : failure.rawMessage,
    reason,
    rayId: request?.requestId ?? '',
    violations: bad?.fieldViolations ?? [],
    missingPermissions: reason === 'OAUTH_INSUFFICIENT_SCOPE' ? wordsOf(metadata['required_scopes'] ?? '') : [],
    metadata,
    isLost,
    isUncertain: isLost || failure.code === Code.Internal,
    // `presented` is the token that a call asks about, not the one that it is made with.
    endsSession: reason === 'OAUTH_INVALID_TOKEN' && metadata['token'] !== 'presented',
  }
}

/** What Connect makes of a failed or aborted request. */
const LOST: ReadonlySet<Code> = new Set([Code.Unknown, Code.Unavailable, Code.DeadlineExceeded, Code.Canceled])

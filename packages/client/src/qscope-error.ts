import { durationMs } from '@bufbuild/protobuf/wkt'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from './gen/google/rpc/error_details_pb.ts'
import { ErrorReason } from './gen/qscope/v1/error_reason_pb.ts'
import { detailOf, type ReceivedStatus, receivedStatus } from './status-details.ts'
import { type StatusName, statusName } from './status-name.ts'

/** Why QScope refused, such as `OAUTH_INVALID_GRANT`; each is described in the proto's `ErrorReason`. */
export type Reason = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>

/** The `domain` of QScope's reasons. */
export const DOMAIN = 'qscope'

/** What is wrong with a field of the request. */
export interface FieldViolation {
  readonly field: string
  readonly description: string
}

/** The cap that is reached. */
export interface QuotaViolation {
  readonly subject: string
  readonly description: string
}

/** Node's names for a connection that never came to be. */
const NEVER_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** A call that failed, its details decoded. Decide by `reason`; texts may change. */
export class QScopeError extends Error {
  override readonly name = 'QScopeError'
  /** The name of the gRPC status. */
  readonly status: StatusName
  /** `null` where the transport made the status, or where QScope is newer than this package: see `rawReason`. */
  readonly reason: Reason | null
  /** The reason as it came; `null` where QScope said nothing. */
  readonly rawReason: string | null
  /** The OAuth error code (RFC 6749 §5.2 and others), where the reason has one. */
  readonly oauthError: string | null
  /** What belongs to the reason, such as `rejected_scopes` or `required_scopes`. */
  readonly metadata: Readonly<Record<string, string>>
  /** When the call may be made again, milliseconds; `null` where QScope names no time. */
  readonly retryAfterMs: number | null
  /** The fields that are wrong, of an invalid request. */
  readonly fieldViolations: readonly FieldViolation[]
  /** The caps that are reached. */
  readonly quotaViolations: readonly QuotaViolation[]
  /** What was not found, or is taken. */
  readonly resource: { readonly type: string; readonly name: string } | null
  /** Under which QScope's logs and audit log speak of the call. */
  readonly rayId: string | null
  /** The page that explains the reason. */
  readonly helpUrl: string | null
  /** Whether the call certainly never reached a server, so that nothing of it was done. */
  readonly neverSent: boolean

  constructor(received: ReceivedStatus, options?: ErrorOptions) {
    const info = detailOf(received, ErrorInfoSchema)
    const own = info?.domain === DOMAIN ? info : undefined
    const retry = detailOf(received, RetryInfoSchema)?.retryDelay
    const resource = detailOf(received, ResourceInfoSchema)
    const status = statusName(received.code)
    super(`${own?.reason ?? status}: ${received.message}`, options)
    this.status = status
    this.rawReason = own?.reason ?? null
    this.reason = own !== undefined && isReason(own.reason) ? own.reason : null
    this.metadata = Object.freeze({ ...own?.metadata })
    this.oauthError = own?.metadata['oauth_error'] ?? null
    this.retryAfterMs = retry === undefined ? null : durationMs(retry)
    this.fieldViolations = (detailOf(received, BadRequestSchema)?.fieldViolations ?? []).map(
      ({ field, description }) => ({ field, description }),
    )
    this.quotaViolations = (detailOf(received, QuotaFailureSchema)?.violations ?? []).map(
      ({ subject, description }) => ({ subject, description }),
    )
    this.resource = resource === undefined ? null : { type: resource.resourceType, name: resource.resourceName }
    this.rayId = detailOf(received, RequestInfoSchema)?.requestId ?? received.rayId
    this.helpUrl = detailOf(received, HelpSchema)?.links[0]?.url ?? null
    this.neverSent = status === 'UNAVAILABLE' && own === undefined && isNeverSent(received, options?.cause)
  }

  /**
   * Reads what a generated client threw: a `ServiceError` of grpc-js or a
   * `ConnectError`. `null` for an error that is neither.
   */
  static from(error: unknown): QScopeError | null {
    if (error instanceof QScopeError) return error
    const received = receivedStatus(error)
    return received === null ? null : new QScopeError(received, { cause: error })
  }

  /**
   * Whether what was asked may or may not have been done: the answer was lost on
   * its way, or QScope itself could not tell.
   */
  get isOutcomeUnknown(): boolean {
    if (this.rawReason !== null) return this.reason === 'RESOURCE_OUTCOME_UNKNOWN'
    return !this.neverSent && OPEN.has(this.status)
  }

  /** Whether it is worth the same call later: QScope is overloaded, draining, or cannot be reached. */
  get isTemporary(): boolean {
    if (this.rawReason !== null)
      return this.reason === 'OAUTH_TEMPORARILY_UNAVAILABLE' || this.reason === 'LIMIT_EXCEEDED'
    return PASSING.has(this.status)
  }
}

/** What a transport says when it does not know how far the call came; ABORTED is connect-node's for a connection that was reset. */
const OPEN: ReadonlySet<StatusName> = new Set([
  'CANCELLED',
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
])
/** Those of them that a later call may not meet. */
const PASSING: ReadonlySet<StatusName> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'ABORTED'])

function isReason(reason: string): reason is Reason {
  return Object.hasOwn(ErrorReason, reason) && reason !== 'UNSPECIFIED'
}

/** Unknown texts count as sent, which is the careful answer. */
function isNeverSent({ message }: ReceivedStatus, cause: unknown): boolean {
  return message.startsWith('No connection established') || causeCodes(cause).some((code) => NEVER_CONNECTED.has(code))
}

function causeCodes(error: unknown, depth = 0): readonly unknown[] {
  if (!(error instanceof Error) || depth > 4) return []
  const code: unknown = 'code' in error ? error.code : undefined
  return [code, ...causeCodes(error.cause, depth + 1)]
}

import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt'
import { Metadata, status } from '@grpc/grpc-js'
import { type ErrorCode, type ErrorDetails, registry } from '../../errors/registry.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../gen/google/rpc/error_details_pb.ts'
import { type Status as RpcStatus, StatusSchema } from '../../gen/google/rpc/status_pb.ts'
import type { ErrorReason } from '../../gen/qscope/v1/error_reason_pb.ts'
import type { FailedResult } from '../../results.ts'
import { RAY_ID_KEY } from '../../rpc/ray-id.ts'
import { sentenceOf } from '../../rpc/refusal-sentence.ts'

const DOMAIN = 'qscope'
/** Clients give up on trailers beyond 8 KiB, so no single value may fill them. */
const MAX_METADATA_VALUE = 1024
/** So many of what is wrong with a request are told. */
export const MAX_VIOLATIONS = 16

/** `oauth.invalid_grant` → `OAUTH_INVALID_GRANT`. */
type ReasonOf<Key extends string> = Key extends `${infer Head}.${infer Tail}`
  ? `${Uppercase<Head>}_${ReasonOf<Tail>}`
  : Uppercase<Key>
type InRegistry = ReasonOf<ErrorCode>
type InProto = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>
/** The reasons, if registry and `ErrorReason` name the same; else what is missing where, and `reasonOf` does not compile. */
type Reason = [InRegistry, InProto] extends [InProto, InRegistry]
  ? InProto
  : { readonly missingInProto: Exclude<InRegistry, InProto>; readonly missingInRegistry: Exclude<InProto, InRegistry> }

/** The `ErrorInfo.reason` of a registry key. */
export function reasonOf(code: ErrorCode): Reason {
  // Computes what `ReasonOf` says.
  return code.toUpperCase().replaceAll('.', '_') as InRegistry
}

/** Nobody waits for the answer any more; the transport has its own status for it. */
export class CallEnded extends Error {
  readonly kind: 'CANCELLED' | 'DEADLINE_EXCEEDED'

  constructor(kind: CallEnded['kind'], options?: ErrorOptions) {
    super(kind === 'CANCELLED' ? 'The call was cancelled.' : 'The deadline has passed.', options)
    this.kind = kind
  }
}

/**
 * A refusal as `google.rpc.Status` (AIP-193), as it stands in
 * `grpc-status-details-bin` and in the results of batch calls.
 *
 * @param helpBase where the errors are documented, such as
 *   `https://issuer/docs/errors`; without it there is no Help.
 */
export function toRpcStatus(failed: FailedResult, rayId: string, helpBase?: string | undefined): RpcStatus {
  const row = registry[failed.code]
  return create(StatusSchema, {
    code: status[row.status],
    message: sentenceOf(failed),
    details: [
      pack(ErrorInfoSchema, {
        reason: reasonOf(failed.code),
        domain: DOMAIN,
        metadata: { ...(row.oauthError === null ? {} : { oauth_error: row.oauthError }), ...shortened(failed.details) },
      }),
      pack(RequestInfoSchema, { requestId: rayId }),
      ...detailsOf(failed.details),
      ...(helpBase === undefined ? [] : [pack(HelpSchema, { links: [helpLink(failed.code, helpBase)] })]),
    ],
  })
}

/** What grpc-js sends for a refusal: the status, and the details in the trailers. */
export function toGrpcStatus(failed: FailedResult, rayId: string, helpBase?: string | undefined) {
  const rpcStatus = toRpcStatus(failed, rayId, helpBase)
  const metadata = new Metadata()
  metadata.set(RAY_ID_KEY, rayId)
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, rpcStatus)))
  return { code: rpcStatus.code, details: rpcStatus.message, metadata }
}

/** What grpc-js sends where nobody waits: the transport's own status, without details. */
export function toEndedStatus(interruption: CallEnded) {
  return { code: status[interruption.kind], details: interruption.message }
}

function detailsOf({ violations, resource, retryAfterMs, quota }: ErrorDetails) {
  return [
    ...(violations === undefined
      ? []
      : [pack(BadRequestSchema, { fieldViolations: violations.slice(0, MAX_VIOLATIONS) })]),
    ...(resource === undefined
      ? []
      : [pack(ResourceInfoSchema, { resourceType: resource.type, resourceName: resource.name })]),
    ...(quota === undefined ? [] : [pack(QuotaFailureSchema, { violations: [quota] })]),
    ...(retryAfterMs === undefined ? [] : [pack(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) })]),
  ]
}

function shortened({ metadata = {} }: ErrorDetails): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      value.length > MAX_METADATA_VALUE ? `${value.slice(0, MAX_METADATA_VALUE)}…` : value,
    ]),
  )
}

/** Where a page of errors speaks of this one: `oauth-invalid-grant`. */
export function anchorOf(code: ErrorCode): string {
  return code.replaceAll(/[._]/g, '-')
}

function helpLink(code: ErrorCode, helpBase: string) {
  return { description: `What ${code} means`, url: `${helpBase}#${anchorOf(code)}` }
}

function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return anyPack(schema, create(schema, init))
}

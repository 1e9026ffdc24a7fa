import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt'
import { withoutSecrets } from '../domain/secret-text.ts'
import { type ErrorCode, type ErrorDetails, type ErrorRow, type FieldViolation, registry } from '../errors/registry.ts'
import { Code } from '../gen/google/rpc/code_pb.ts'
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../gen/google/rpc/error_details_pb.ts'
import { type Status as RpcStatus, StatusSchema } from '../gen/google/rpc/status_pb.ts'
import type { ErrorReason } from '../gen/qscope/v1/error_reason_pb.ts'
import type { FailedResult } from '../results.ts'

const DOMAIN = 'qscope'
/** The limit of one value. Clients reject trailers beyond 8 KiB. */
const MAX_METADATA_VALUE = 1024
/** The limit of a value in the sentence. */
const MAX_QUOTED = 200
/** The number of reported violations. */
export const MAX_VIOLATIONS = 16
/** The number of violations in the sentence. The details contain the others. */
const MAX_NAMED_VIOLATIONS = 3

const PLACEHOLDER = /\{(\w+)\}/g

/** `oauth.invalid_grant` → `OAUTH_INVALID_GRANT`. */
type ReasonOf<Key extends string> = Key extends `${infer Head}.${infer Tail}`
  ? `${Uppercase<Head>}_${ReasonOf<Tail>}`
  : Uppercase<Key>
type InRegistry = ReasonOf<ErrorCode>
type InProto = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>
/** The reasons, if the registry and `ErrorReason` match. Otherwise the differences, and `reasonOf` does not compile. */
type Reason = [InRegistry, InProto] extends [InProto, InRegistry]
  ? InProto
  : { readonly missingInProto: Exclude<InRegistry, InProto>; readonly missingInRegistry: Exclude<InProto, InRegistry> }

/** The `ErrorInfo.reason` of a registry key. */
export function reasonOf(code: ErrorCode): Reason {
  // Computes the value of type `ReasonOf`.
  return code.toUpperCase().replaceAll('.', '_') as InRegistry
}

/** The anchor of an error on the errors page: `oauth-invalid-grant`. */
export function anchorOf(code: ErrorCode): string {
  return code.replaceAll(/[._]/g, '-')
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
    code: Code[row.status],
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

/** The message of a refusal: the problem and the remedy. */
export function sentenceOf({ code, details }: FailedResult): string {
  const row: ErrorRow<ErrorDetails> = registry[code]
  const sentence = (details.because === undefined ? undefined : row.cases?.[details.because]) ?? row.description
  return sentence.includes('{')
    ? sentence.replace(PLACEHOLDER, (_, name: string) => placeholderValue(name, details))
    : sentence
}

function placeholderValue(placeholder: string, { violations, resource, quota, metadata }: ErrorDetails): string {
  switch (placeholder) {
    case 'violations':
      return violationsText(violations ?? [])
    case 'type':
      return resource?.type.replaceAll('_', ' ') ?? 'resource'
    case 'name':
      return JSON.stringify(quoted(resource?.name ?? ''))
    case 'limit':
      return quota?.description ?? 'a cap or a rate'
    default:
      return quoted(metadata?.[placeholder] ?? '')
  }
}

function violationsText(violations: readonly FieldViolation[]): string {
  const named = violations.slice(0, MAX_NAMED_VIOLATIONS).map((violation) => quoted(violationText(violation)))
  const others = violations.length - named.length
  return [...named, ...(others > 0 ? [`${others} more`] : [])].join('; ')
}

/** A field's problem in words: `scopes must not be empty`. */
export function violationText({ field, description }: FieldViolation): string {
  return `${field === '' ? 'the request' : field} ${description}`
}

/** The caller's text, with secrets masked. */
function quoted(text: string): string {
  const masked = withoutSecrets(text)
  return masked.length > MAX_QUOTED ? `${masked.slice(0, MAX_QUOTED)}…` : masked
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

function helpLink(code: ErrorCode, helpBase: string) {
  return { description: `What ${code} means`, url: `${helpBase}#${anchorOf(code)}` }
}

function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) {
  return anyPack(schema, create(schema, init))
}

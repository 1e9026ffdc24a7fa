import { isFieldSet } from '@bufbuild/protobuf'
import { distinct } from '../../domain/scopes.ts'
import { holdsSecret } from '../../domain/secret-text.ts'
import type { IssuerChanges } from '../../flows/trust/update-trusted-issuer.ts'
import {
  type TrustedIssuer as IssuerMessage,
  TrustedIssuerSchema,
  type UpdateTrustedIssuerRequest,
} from '../../gen/qscope/v1/trust_service_pb.ts'
import { fail, invalidRequest, mapResult, type Result, success } from '../../results.ts'
import { fromDuration } from './time.ts'
import { DEFAULT_MAX_LIFETIME, fromKeySource, fromRules } from './trusted-issuer.ts'

/** `*` does not change the owner, so that callers that do not know owners leave it unchanged. */
const OWNER = 'owner'

/** Exactly one of them is set. */
const KEY_FIELDS: ReadonlyMap<string, IssuerMessage['keys']['case']> = new Map([
  ['jwks', 'jwks'],
  ['jwks_uri', 'jwksUri'],
  ['discovery', 'discovery'],
])

type Reader = (message: IssuerMessage) => Result<IssuerChanges>

const reads =
  (changes: (message: IssuerMessage) => IssuerChanges): Reader =>
  (message) =>
    success(changes(message))

const keySource: Reader = (message) => {
  const source = fromKeySource(message)
  return success(source === null ? {} : { keySource: source })
}

/** The changeable fields by their names in the contract. */
const READERS: ReadonlyMap<string, Reader> = new Map(
  Object.entries({
    display_name: reads(({ displayName, issuer }) => ({ displayName: displayName || issuer })),
    jwks: keySource,
    jwks_uri: keySource,
    discovery: keySource,
    ca_certificates: reads(({ caCertificates }) => ({ caCertificates: caCertificates || null })),
    audience: reads(({ audience }) => ({ audience: audience || null })),
    single_use: reads(({ singleUse }) => ({ singleUse })),
    max_lifetime: reads(({ maxLifetime }) => ({
      maxLifetime: maxLifetime === undefined ? DEFAULT_MAX_LIFETIME : fromDuration(maxLifetime),
    })),
    rules: ({ rules }) => mapResult(fromRules(rules), (read) => ({ rules: read })),
    [OWNER]: reads(({ owner }) => ({ owner: owner || null })),
  } satisfies Record<string, Reader>),
)

const SHOWN_PATH = /^[A-Za-z0-9_.*]{1,128}$/

export interface IssuerUpdate {
  readonly issuer: string
  readonly changes: IssuerChanges
  readonly etag: string | null
  readonly adopt: boolean
}

/** AIP-134: the mask selects the fields. Without one, the fields that are set change. `*` alone means all changeable fields. */
export function fromUpdateTrustedIssuer(request: UpdateTrustedIssuerRequest): Result<IssuerUpdate> {
  const message = request.trustedIssuer
  if (message === undefined) return invalidRequest('trusted_issuer', 'is required')
  const paths = effectivePaths(message, request.updateMask?.paths ?? [])
  const violations = paths.flatMap((path) => {
    const description = pathProblem(path, message)
    return description === null ? [] : [{ field: 'update_mask', description: `${shown(path)}: ${description}` }]
  })
  if (violations.length > 0) return fail('oauth.invalid_request', { violations })
  const { issuer, etag } = message
  return mapResult(readChanges(message, paths), (changes) => ({
    issuer,
    changes,
    etag: etag || null,
    adopt: request.adopt,
  }))
}

function effectivePaths(message: IssuerMessage, mask: readonly string[]): readonly string[] {
  const isSetKey = (path: string) => !KEY_FIELDS.has(path) || KEY_FIELDS.get(path) === message.keys.case
  if (mask.length === 1 && mask[0] === '*') {
    const all = [...READERS.keys()].filter((path) => path !== OWNER && isSetKey(path))
    // Without keys, `*` is rejected because of the missing field.
    return message.keys.case === undefined ? ['jwks', ...all] : all
  }
  if (mask.length > 0) return distinct(mask)
  return TrustedIssuerSchema.fields
    .filter((field) => READERS.has(field.name) && isFieldSet(message, field))
    .map(({ name }) => name)
}

function pathProblem(path: string, message: IssuerMessage): string | null {
  const key = KEY_FIELDS.get(path)
  if (key !== undefined) return key === message.keys.case ? null : 'must be set, because an issuer needs keys'
  if (READERS.has(path)) return null
  if (path === '*') return 'must be the only path'
  return TrustedIssuerSchema.fields.some((field) => field.name === path)
    ? 'cannot be changed'
    : 'there is no such field'
}

/** A path is the caller's text. An invalid one is not repeated. */
function shown(path: string): string {
  return SHOWN_PATH.test(path) && !holdsSecret(path) ? path : '…'
}

function readChanges(message: IssuerMessage, paths: readonly string[]): Result<IssuerChanges> {
  let changes: IssuerChanges = {}
  for (const path of paths) {
    const read = READERS.get(path)?.(message)
    if (read === undefined) continue
    if (!read.ok) return read
    changes = { ...changes, ...read.value }
  }
  return success(changes)
}

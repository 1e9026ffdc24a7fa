import type { MessageInitShape } from '@bufbuild/protobuf'
import { milliseconds } from '../../domain/ids.ts'
import { distinct } from '../../domain/scopes.ts'
import {
  type AssertionRule,
  claimPattern,
  etagOfIssuer,
  type IssuerKind,
  type IssuerRegistration,
  type KeyLocation,
  patternText,
} from '../../domain/trusted-issuer.ts'
import type { AnyIssuer } from '../../flows/trust/manage-trusted-issuers.ts'
import type { KeySource } from '../../flows/trust/update-trusted-issuer.ts'
import {
  type AssertionRuleSchema,
  type TrustedIssuer as IssuerMessage,
  type AssertionRule as RuleMessage,
  TrustedIssuerKind,
  type TrustedIssuerSchema,
} from '../../gen/qscope/v1/trust_service_pb.ts'
import { fail, invalidRequest, type Result, success } from '../../results.ts'
import { fromDuration, toDuration, toTimestamp } from './time.ts'

const KINDS = {
  jwt: TrustedIssuerKind.JWT,
  spiffe: TrustedIssuerKind.SPIFFE,
} as const satisfies Record<IssuerKind, TrustedIssuerKind>

/** The request field of the issuer. */
const PLACE = 'trusted_issuer'

/** The default of an issuer. */
export const DEFAULT_MAX_LIFETIME = milliseconds(3_600_000)
const SPIFFE_PREFIX = 'spiffe://'

/** An issuer to be created. The flow rejects inconsistencies. */
export function fromTrustedIssuer(message: IssuerMessage | undefined): Result<IssuerRegistration> {
  if (message === undefined) return invalidRequest(PLACE, 'is required')
  const source = fromKeySource(message)
  if (source === null) return invalidRequest(PLACE, 'needs one of jwks, jwks_uri and discovery')
  const ca = message.caCertificates || null
  if (source.kind === 'inline' && ca !== null) {
    return invalidRequest(`${PLACE}.ca_certificates`, 'is allowed only with jwks_uri or discovery')
  }
  const rules = fromRules(message.rules)
  if (!rules.ok) return rules
  const { issuer } = message
  const kind = message.kind === TrustedIssuerKind.SPIFFE ? 'spiffe' : 'jwt'
  const named = kind === 'spiffe' && issuer.startsWith(SPIFFE_PREFIX) ? issuer.slice(SPIFFE_PREFIX.length) : null
  return success({
    issuer,
    origin: 'api',
    displayName: message.displayName || issuer,
    kind,
    trustDomain: message.trustDomain || named,
    keys: source.kind === 'inline' ? source : { ...source, ca },
    audience: message.audience || null,
    singleUse: message.singleUse,
    maxLifetime: message.maxLifetime === undefined ? DEFAULT_MAX_LIFETIME : fromDuration(message.maxLifetime),
    rules: rules.value,
    owner: message.owner || null,
  })
}

/** `null`: the message has no keys. */
export function fromKeySource({ keys }: IssuerMessage): KeySource | null {
  switch (keys.case) {
    case 'jwks':
      return { kind: 'inline', jwks: keys.value }
    case 'jwksUri':
      return { kind: 'url', url: keys.value }
    case 'discovery':
      return { kind: 'discovery' }
    case undefined:
      return null
    default:
      return keys satisfies never
  }
}

export function fromRules(rules: readonly RuleMessage[]): Result<readonly AssertionRule[]> {
  const violations = rules.flatMap(({ claims }, index) =>
    Object.entries(claims).some(([name, text]) => claimPattern(name, text) === null)
      ? [
          {
            field: `${PLACE}.rules[${index}].claims`,
            description: 'must each be a text, or the beginning of a text followed by *',
          },
        ]
      : [],
  )
  return violations.length > 0 ? fail('oauth.invalid_request', { violations }) : success(rules.map(fromRule))
}

function fromRule(rule: RuleMessage): AssertionRule {
  return {
    // The order of a map has no meaning. With a fixed order, equal rules compare equal.
    claims: inOrder(rule.claims).flatMap(([name, text]) => claimPattern(name, text) ?? []),
    condition: rule.condition || null,
    clientId: rule.clientId,
    scopes: distinct(rule.scopes),
    scopesExpression: rule.scopesExpression || null,
    tokenClaims: Object.fromEntries(inOrder(rule.tokenClaims)),
  }
}

function inOrder(map: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))
}

export function toTrustedIssuer(issuer: AnyIssuer): MessageInitShape<typeof TrustedIssuerSchema> {
  return {
    issuer: issuer.issuer,
    displayName: issuer.displayName,
    kind: KINDS[issuer.kind],
    trustDomain: issuer.trustDomain ?? '',
    ...toKeys(issuer.keys),
    audience: issuer.audience ?? '',
    singleUse: issuer.singleUse,
    maxLifetime: toDuration(issuer.maxLifetime),
    rules: issuer.rules.map(toRule),
    ...('revision' in issuer
      ? {
          etag: etagOfIssuer(issuer),
          createTime: toTimestamp(issuer.createdAt),
          createdBy: issuer.createdBy,
          updateTime: toTimestamp(issuer.updatedAt),
          updatedBy: issuer.updatedBy,
          owner: issuer.owner ?? '',
        }
      : { readOnly: true }),
  }
}

/** Paths on the server are not disclosed. */
function toKeys(keys: KeyLocation): Pick<MessageInitShape<typeof TrustedIssuerSchema>, 'keys' | 'caCertificates'> {
  switch (keys.kind) {
    case 'file':
      return {}
    case 'inline':
      return { keys: { case: 'jwks', value: keys.jwks } }
    case 'url':
      return { keys: { case: 'jwksUri', value: keys.url }, caCertificates: keys.ca ?? '' }
    case 'discovery':
      return { keys: { case: 'discovery', value: true }, caCertificates: keys.ca ?? '' }
    default:
      return keys satisfies never
  }
}

function toRule(rule: AssertionRule): MessageInitShape<typeof AssertionRuleSchema> {
  return {
    claims: Object.fromEntries(rule.claims.map((pattern) => [pattern.name, patternText(pattern)])),
    condition: rule.condition ?? '',
    clientId: rule.clientId,
    scopes: [...rule.scopes],
    scopesExpression: rule.scopesExpression ?? '',
    tokenClaims: { ...rule.tokenClaims },
  }
}

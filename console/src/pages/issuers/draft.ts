import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type AssertionRule,
  type AssertionRuleSchema,
  type TrustedIssuer,
  TrustedIssuerKind,
  type TrustedIssuerSchema,
  type UpdateTrustedIssuerRequestSchema,
} from '../../../../src/gen/qscope/v1/trust_service_pb.ts'
import { changesOf, type FieldTable, lineOf } from '../../components/changes.ts'
import { durationOf, plain, secondsOf } from '../../components/duration.ts'
import { textsOf, wordsOf } from '../../text.ts'
import { KEY_SOURCES, REUSE } from './labels.ts'

/** A trusted issuer as a form holds it. Choices are the values of the contract. */
export interface IssuerDraft {
  readonly issuer: string
  readonly kind: string
  readonly trustDomain: string
  readonly displayName: string
  readonly keys: KeysDraft
  /** PEM; empty: those that the server's machine trusts. */
  readonly caCertificates: string
  /** Empty: the server's issuer. */
  readonly audience: string
  readonly singleUse: keyof typeof REUSE
  /** Seconds; empty: the default. */
  readonly maxLifetime: string
  readonly rules: readonly RuleDraft[]
}

/** The fields of other sources are kept while another source is chosen. They are not sent. */
export interface KeysDraft {
  readonly source: keyof typeof KEY_SOURCES
  readonly jwks: string
  readonly jwksUri: string
}

/** A rule. Claims are objects of JSON with texts; empty: none. */
export interface RuleDraft {
  readonly clientId: string
  readonly claims: string
  readonly condition: string
  readonly scopes: string
  readonly scopesExpression: string
  readonly tokenClaims: string
}

export const NEW_ISSUER: IssuerDraft = {
  issuer: '',
  kind: String(TrustedIssuerKind.JWT),
  trustDomain: '',
  displayName: '',
  keys: { source: 'discovery', jwks: '', jwksUri: '' },
  caCertificates: '',
  audience: '',
  singleUse: 'false',
  maxLifetime: '',
  rules: [],
}

export const NEW_RULE: RuleDraft = Object.freeze({
  clientId: '',
  claims: '',
  condition: '',
  scopes: '',
  scopesExpression: '',
  tokenClaims: '',
})

/** The keys have a path in the contract for each source. */
const KEYS = 'keys'
const KEY_PATHS = { jwks: 'jwks', jwksUri: 'jwks_uri', discovery: 'discovery' } as const

export const ISSUER_FIELDS: FieldTable<IssuerDraft> = {
  prefix: 'trusted_issuer.',
  changeable: {
    displayName: { label: 'Name', path: 'display_name', linesOf: (draft) => lineOf(draft.displayName) },
    keys: { label: 'Keys', path: KEYS, linesOf: ({ keys }) => [KEY_SOURCES[keys.source], ...lineOf(keyTextOf(keys))] },
    caCertificates: {
      label: 'CA certificates',
      path: 'ca_certificates',
      linesOf: (draft) => lineOf(caCertificatesOf(draft)),
    },
    audience: { label: 'Audience', path: 'audience', linesOf: (draft) => lineOf(draft.audience) },
    singleUse: { label: 'Accepted', path: 'single_use', linesOf: ({ singleUse }) => [REUSE[singleUse]] },
    maxLifetime: {
      label: 'Longest lifetime (seconds)',
      path: 'max_lifetime',
      linesOf: (draft) => lineOf(plain(draft.maxLifetime)),
    },
    rules: {
      label: 'Rules',
      path: 'rules',
      // The first rule that applies counts, so the place of each is part of it.
      linesOf: ({ rules }) => rules.map((rule, at) => `${at + 1}. ${JSON.stringify(ruleOf(rule))}`),
    },
  },
  others: { issuer: 'issuer', kind: 'kind', trust_domain: 'trustDomain', jwks: KEYS, jwks_uri: KEYS, discovery: KEYS },
}

export function draftOf(issuer: TrustedIssuer): IssuerDraft {
  const { keys } = issuer
  return {
    issuer: issuer.issuer,
    kind: String(issuer.kind),
    trustDomain: issuer.trustDomain,
    displayName: issuer.displayName,
    keys: {
      source: keys.case ?? 'discovery',
      jwks: keys.case === 'jwks' ? keys.value : '',
      jwksUri: keys.case === 'jwksUri' ? keys.value : '',
    },
    caCertificates: issuer.caCertificates,
    audience: issuer.audience,
    singleUse: issuer.singleUse ? 'true' : 'false',
    maxLifetime: secondsOf(issuer.maxLifetime),
    rules: issuer.rules.map(ruleDraftOf),
  }
}

/** What the form says, as the contract has it. What is empty is left to the server's defaults. */
export function issuerOf(draft: IssuerDraft): MessageInitShape<typeof TrustedIssuerSchema> {
  const isSpiffe = Number(draft.kind) === TrustedIssuerKind.SPIFFE
  const trustDomain = draft.trustDomain.trim()
  return {
    // SPIFFE names an issuer by its trust domain.
    issuer: isSpiffe ? `spiffe://${trustDomain}` : draft.issuer.trim(),
    trustDomain: isSpiffe ? trustDomain : '',
    kind: Number(draft.kind) as TrustedIssuerKind,
    displayName: draft.displayName.trim(),
    keys: keysOf(draft.keys),
    caCertificates: caCertificatesOf(draft),
    audience: draft.audience.trim(),
    singleUse: draft.singleUse === 'true',
    rules: draft.rules.map(ruleOf),
    ...(draft.maxLifetime !== '' && { maxLifetime: durationOf(draft.maxLifetime) }),
  }
}

/** The request that changes an issuer from one to the other, if it still is the one that was read. */
export function updateOf(
  before: IssuerDraft,
  after: IssuerDraft,
  etag: string,
): MessageInitShape<typeof UpdateTrustedIssuerRequestSchema> {
  const paths = changesOf(ISSUER_FIELDS, before, after).map(({ path }) =>
    path === KEYS ? KEY_PATHS[after.keys.source] : path,
  )
  return { trustedIssuer: { ...issuerOf(after), etag }, updateMask: { paths } }
}

function keysOf(keys: KeysDraft) {
  switch (keys.source) {
    case 'jwks':
      return { case: 'jwks' as const, value: keys.jwks.trim() }
    case 'jwksUri':
      return { case: 'jwksUri' as const, value: keys.jwksUri.trim() }
    case 'discovery':
      return { case: 'discovery' as const, value: true }
    default:
      return keys.source satisfies never
  }
}

/** Keys that are given have no host. The field is not shown for them, so what it holds does not count. */
function caCertificatesOf({ keys, caCertificates }: IssuerDraft): string {
  return keys.source === 'jwks' ? '' : caCertificates.trim()
}

function keyTextOf({ source, jwks, jwksUri }: KeysDraft): string {
  return { jwks, jwksUri, discovery: '' }[source]
}

function ruleDraftOf(rule: AssertionRule): RuleDraft {
  return {
    clientId: rule.clientId,
    claims: jsonOf(rule.claims),
    condition: rule.condition,
    scopes: rule.scopes.join('\n'),
    scopesExpression: rule.scopesExpression,
    tokenClaims: jsonOf(rule.tokenClaims),
  }
}

function ruleOf(rule: RuleDraft): MessageInitShape<typeof AssertionRuleSchema> {
  const { claims, condition, scopesExpression, tokenClaims } = rule
  return {
    clientId: rule.clientId.trim(),
    scopes: wordsOf(rule.scopes),
    ...(claims.trim() !== '' && { claims: textsOf(claims) }),
    ...(condition.trim() !== '' && { condition: condition.trim() }),
    ...(scopesExpression.trim() !== '' && { scopesExpression: scopesExpression.trim() }),
    ...(tokenClaims.trim() !== '' && { tokenClaims: textsOf(tokenClaims) }),
  }
}

function jsonOf(texts: Readonly<Record<string, string>>): string {
  return Object.keys(texts).length === 0 ? '' : JSON.stringify(texts, null, 2)
}

import type { EpochMs, Milliseconds } from './ids.ts'

/** The kind of an issuer's assertions: JWTs (RFC 7523 §3), or JWT-SVIDs of a SPIFFE trust domain. */
export const ISSUER_KINDS = Object.freeze(['jwt', 'spiffe'] as const)
export type IssuerKind = (typeof ISSUER_KINDS)[number]

/** Where an issuer was defined: in the server's file by the operator, or through the API by an authorized caller. */
export type IssuerOrigin = 'file' | 'api'

/** The location of an issuer's keys and the rules for fetching them. */
export interface KeyHolder {
  /** `iss` of its assertions. For a SPIFFE trust domain: `spiffe://` and its name. */
  readonly issuer: string
  readonly kind: IssuerKind
  readonly keys: KeyLocation
  readonly origin: IssuerOrigin
}

/** Another issuer whose assertions authenticate clients of this server (RFC 7523 §2). */
export interface TrustedIssuer extends KeyHolder {
  /** The name shown to people. */
  readonly displayName: string
  /** The SPIFFE trust domain. `null`: its assertions are JWTs of the other kind. */
  readonly trustDomain: string | null
  /** The required `aud` of its assertions as grants. `null`: this server's issuer. */
  readonly audience: string | null
  /** Whether each assertion may be used only once. It then needs a `jti`. */
  readonly singleUse: boolean
  /** The longest remaining lifetime of an assertion as a grant. */
  readonly maxLifetime: Milliseconds
  /** The first rule that applies counts. Empty: its assertions are not accepted as grants. */
  readonly rules: readonly AssertionRule[]
}

/** The location of an issuer's key set. */
export type KeyLocation =
  | { readonly kind: 'file'; readonly path: string }
  /** `ca`: certificates in PEM. `null`: the CAs that the machine trusts. */
  | { readonly kind: 'url'; readonly url: string; readonly ca: string | null }
  /** The key set itself. */
  | { readonly kind: 'inline'; readonly jwks: string }
  /** The `jwks_uri` of the issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3). */
  | { readonly kind: 'discovery'; readonly ca: string | null }

/** The properties of an issuer that the API can set. */
export interface IssuerRegistration extends TrustedIssuer {
  readonly origin: 'api'
  /** The mark of the configuration as code that manages it. `null`: not managed. */
  readonly owner: string | null
}

/** An issuer in the database. */
export interface RegisteredIssuer extends IssuerRegistration {
  /** Changes with every update, and when an issuer is deleted and created again. */
  readonly revision: string
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** AIP-154: identifies the version of an issuer. */
export function etagOfIssuer({ revision }: RegisteredIssuer): string {
  return revision
}

/** Selects the assertions that authenticate a client, and the scopes of the token. */
export interface AssertionRule {
  /** All of them must hold. */
  readonly claims: readonly ClaimPattern[]
  /** A CEL expression over `claims` that must be true. `null`: none. */
  readonly condition: string | null
  readonly clientId: string
  readonly scopes: readonly string[]
  /** A CEL expression over `claims` that selects from `scopes`. `null`: all of them. */
  readonly scopesExpression: string | null
  /** Additional claims of the token, each computed by a CEL expression over `claims`. */
  readonly tokenClaims: Readonly<Record<string, string>>
}

export interface ClaimPattern {
  /** The claim as it was written: its name or its JSON pointer (RFC 6901). */
  readonly name: string
  /** The member names to follow in the claims. */
  readonly path: readonly string[]
  /** The whole value. With `prefix`, its beginning. */
  readonly value: string
  readonly prefix: boolean
}

/**
 * Parses a pattern for the claim `name`. The claim must equal `text`, or begin with it if `text` ends with `*`. `null`: no
 * text is left to compare, or a `*` is elsewhere.
 */
export function claimPattern(name: string, text: string): ClaimPattern | null {
  const prefix = text.endsWith('*')
  const value = prefix ? text.slice(0, -1) : text
  if (value === '' || value.includes('*')) return null
  return Object.freeze({ name, path: pathOf(name), value, prefix })
}

/** The claim `name` must equal `value`. */
export function exactClaim(name: string, value: string): ClaimPattern {
  return Object.freeze({ name, path: pathOf(name), value, prefix: false })
}

/** The text from which `claimPattern` parses the pattern. */
export function patternText({ value, prefix }: ClaimPattern): string {
  return prefix ? `${value}*` : value
}

function pathOf(name: string): readonly string[] {
  if (!name.startsWith('/')) return [name]
  return name
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const SPIFFE = 'spiffe://'

/** The name of an issuer that is a SPIFFE trust domain. */
export function spiffeIssuer(trustDomain: string): string {
  return `${SPIFFE}${trustDomain}`
}

/** Whether a name is reserved for SPIFFE trust domains. */
export function isSpiffeName(issuer: string): boolean {
  return issuer.toLowerCase().startsWith(SPIFFE)
}

type Claims = Readonly<Record<string, unknown>>

/** Whether all claims in a rule match. The rule's condition is evaluated elsewhere. */
export function matchesClaims(rule: Pick<AssertionRule, 'claims'>, claims: Claims): boolean {
  return rule.claims.every((pattern) => claimHolds(pattern, claims))
}

/** A list claim matches if one of its texts does. */
export function claimHolds({ path, value, prefix }: ClaimPattern, claims: Claims): boolean {
  const claimed = path.reduce<unknown>(
    (from, name) => (isObject(from) && Object.hasOwn(from, name) ? from[name] : undefined),
    claims,
  )
  const texts: readonly unknown[] = Array.isArray(claimed) ? claimed : [claimed]
  return texts.some((text) => typeof text === 'string' && (prefix ? text.startsWith(value) : text === value))
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import type { EpochMs, Milliseconds } from './ids.ts'

/** What kind of assertions an issuer makes: JWTs (RFC 7523 §3), or JWT-SVIDs of a SPIFFE trust domain. */
export const ISSUER_KINDS = Object.freeze(['jwt', 'spiffe'] as const)
export type IssuerKind = (typeof ISSUER_KINDS)[number]

/** Who set an issuer: the operator in the server's file, or whoever has the permission, through the API. */
export type IssuerOrigin = 'file' | 'api'

/** What tells where the keys of an issuer are, and by which rules they are fetched. */
export interface KeyHolder {
  /** `iss` of its assertions; of a SPIFFE trust domain, `spiffe://` and its name. */
  readonly issuer: string
  readonly kind: IssuerKind
  readonly keys: KeyLocation
  readonly origin: IssuerOrigin
}

/** Somebody else whose assertions stand for clients of this server (RFC 7523 §2). */
export interface TrustedIssuer extends KeyHolder {
  /** What people call it. */
  readonly displayName: string
  /** The SPIFFE trust domain; `null`: its assertions are JWTs of another kind. */
  readonly trustDomain: string | null
  /** The one `aud` of its assertions as grants; `null`: the issuer that this server is. */
  readonly audience: string | null
  /** Whether each assertion may be used once; then it needs a `jti`. */
  readonly singleUse: boolean
  /** How far ahead an assertion may end as a grant. */
  readonly maxLifetime: Milliseconds
  /** The first that applies counts. None: its assertions are no grants. */
  readonly rules: readonly AssertionRule[]
}

/** Where an issuer's key set is. */
export type KeyLocation =
  | { readonly kind: 'file'; readonly path: string }
  /** `ca`: certificates in PEM, or `null` for those that the machine trusts. */
  | { readonly kind: 'url'; readonly url: string; readonly ca: string | null }
  /** The key set itself. */
  | { readonly kind: 'inline'; readonly jwks: string }
  /** Where the issuer's metadata says (OpenID Connect Discovery 1.0 §4, RFC 8414 §3). */
  | { readonly kind: 'discovery'; readonly ca: string | null }

/** What may be set of an issuer through the API. */
export interface IssuerRegistration extends TrustedIssuer {
  readonly origin: 'api'
  /** The configuration as code that manages it; `null`: none does. */
  readonly owner: string | null
}

/** An issuer of the database. */
export interface RegisteredIssuer extends IssuerRegistration {
  /** Another one after each change, and of an issuer that was deleted and created again. */
  readonly revision: string
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly updatedAt: EpochMs
  readonly updatedBy: string
}

/** AIP-154: names the version of an issuer. */
export function etagOfIssuer({ revision }: RegisteredIssuer): string {
  return revision
}

/** Which assertions stand for a client, and for how much of it. */
export interface AssertionRule {
  /** All of them must hold. */
  readonly claims: readonly ClaimPattern[]
  /** A CEL expression over `claims` that must be true; `null`: none. */
  readonly condition: string | null
  readonly clientId: string
  readonly scopes: readonly string[]
  /** A CEL expression over `claims` that chooses among `scopes`; `null`: all of them. */
  readonly scopesExpression: string | null
  /** Further claims of the token, each by a CEL expression over `claims`. */
  readonly tokenClaims: Readonly<Record<string, string>>
}

export interface ClaimPattern {
  /** As it was written: the name of a claim, or the JSON pointer (RFC 6901) to it. */
  readonly name: string
  /** The names to follow into the claims. */
  readonly path: readonly string[]
  /** The whole value, or its beginning where `prefix` is set. */
  readonly value: string
  readonly prefix: boolean
}

/** Reads the claim `name`, which must be `text`, or begin with it where a `*` ends it; `null`: there is nothing to compare. */
export function claimPattern(name: string, text: string): ClaimPattern | null {
  const prefix = text.endsWith('*')
  const value = prefix ? text.slice(0, -1) : text
  if (value === '' || value.includes('*')) return null
  return Object.freeze({ name, path: pathOf(name), value, prefix })
}

/** The claim `name`, which must be exactly `value`. */
export function exactClaim(name: string, value: string): ClaimPattern {
  return Object.freeze({ name, path: pathOf(name), value, prefix: false })
}

/** The text that `claimPattern` reads. */
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

/** What an issuer that is a SPIFFE trust domain is called here. */
export function spiffeIssuer(trustDomain: string): string {
  return `${SPIFFE}${trustDomain}`
}

/** Whether a name is kept for SPIFFE trust domains. */
export function isSpiffeName(issuer: string): boolean {
  return issuer.toLowerCase().startsWith(SPIFFE)
}

type Claims = Readonly<Record<string, unknown>>

/** Whether all claims that a rule names hold; its condition is another thing. */
export function matchesClaims(rule: Pick<AssertionRule, 'claims'>, claims: Claims): boolean {
  return rule.claims.every((pattern) => claimHolds(pattern, claims))
}

/** A claim that is a list holds if one of its texts does. */
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

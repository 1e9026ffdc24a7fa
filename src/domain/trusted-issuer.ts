import type { Milliseconds } from './ids.ts'

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

/** Somebody else whose assertions stand for clients of this server (RFC 7523 §2.1). */
export interface TrustedIssuer extends KeyHolder {
  /** The one `aud` of assertions that are meant for this server. */
  readonly audience: string
  /** Whether each assertion may be used once; then it needs a `jti`. */
  readonly singleUse: boolean
  /** How far ahead an assertion may end. */
  readonly maxLifetime: Milliseconds
  /** The first that applies counts. */
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

/** Which assertions stand for a client, and for how much of it. */
export interface AssertionRule {
  /** All of them must hold. */
  readonly claims: readonly ClaimPattern[]
  readonly clientId: string
  readonly scopes: readonly string[]
}

export interface ClaimPattern {
  /** The names to follow into the claims. */
  readonly path: readonly string[]
  /** The whole value, or its beginning where `prefix` is set. */
  readonly value: string
  readonly prefix: boolean
}

type Claims = Readonly<Record<string, unknown>>

/** The first rule all of whose claims hold; `null`: the assertion stands for nobody. */
export function ruleFor(rules: readonly AssertionRule[], claims: Claims): AssertionRule | null {
  return rules.find((rule) => rule.claims.every((pattern) => holds(pattern, claims))) ?? null
}

/** A claim that is a list holds if one of its texts does. */
function holds({ path, value, prefix }: ClaimPattern, claims: Claims): boolean {
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

import { extraClaimsIn } from './extra-claims.ts'
import { readJsonObject } from './json-object.ts'
import type { VerifiedToken } from './verified-token.ts'

/** What QScope gives its users' ids the form of; no client can be registered under such an id. */
const USER_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** RFC 6749 §3.3: names with single spaces between. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/
/** The last second of the year 9999, where timestamps end. */
const LAST_SECOND = 253_402_300_799
/** 16 bytes in the one spelling that base64url has for them. */
const REVOCATION_KEY = /^[A-Za-z0-9_-]{21}[AQgw]$/
/** QScope's own bound. */
const MOST_REVOCATION_KEYS = 32

/** So far ahead of this machine's clock may be what issued a token: QScope's own tolerance. */
export const CLOCK_SKEW_MS = 60_000

/** What a token says, together with what only its check is to know. */
export interface AccessTokenClaims {
  readonly token: VerifiedToken
  /** Seconds since 1970; `null`: from ever. */
  readonly notBefore: number | null
  /** Of the claim `rvk`, base64url; `null`: none that could be followed, so that nobody knows what ends the token. */
  readonly revocationKeys: readonly string[] | null
}

/** Reads the claims of an access token; `null` where one is not what RFC 9068 §2.2 and QScope make of it. */
export function readAccessTokenClaims(payload: Uint8Array): AccessTokenClaims | null {
  const claims = readJsonObject(payload)
  if (claims === null) return null
  const { jti, sub, iss, client_id: clientId } = claims
  if (!isName(jti) || !isName(sub) || !isName(iss) || !isName(clientId)) return null
  const [iat, exp] = [secondsIn(claims['iat']), secondsIn(claims['exp'])]
  const audiences = audiencesIn(claims['aud'])
  if (iat === null || exp === null || audiences === null) return null
  const notBefore = optional(claims, 'nbf', null, secondsIn)
  const scopes = optional(claims, 'scope', [], scopesIn)
  const actors = optional(claims, 'act', [], actorsIn)
  const certificate = optional(claims, 'cnf', null, thumbprintIn)
  if (!notBefore.good || !scopes.good || !actors.good || !certificate.good) return null
  const token: VerifiedToken = Object.freeze({
    tokenId: jti,
    clientId,
    subject: sub,
    subjectType: USER_ID.test(sub) ? 'user' : 'client',
    scopes: Object.freeze(scopes.value),
    audiences: Object.freeze(audiences),
    issuer: iss,
    issueTime: new Date(iat * 1_000),
    expireTime: new Date(exp * 1_000),
    actors: Object.freeze(actors.value),
    certificate: certificate.value,
    extra: extraClaimsIn(claims),
  })
  return { token, notBefore: notBefore.value, revocationKeys: revocationKeysIn(claims['rvk']) }
}

/** Whether a token was issued and is good since `latestMs` at the latest, in milliseconds since 1970. */
export function hasBegun({ token, notBefore }: AccessTokenClaims, latestMs: number): boolean {
  return token.issueTime.getTime() <= latestMs && (notBefore === null || notBefore * 1_000 <= latestMs)
}

/** A claim that may be absent, but not of another kind. */
function optional<Absent, Read>(
  claims: Readonly<Record<string, unknown>>,
  name: string,
  absent: Absent,
  read: (value: unknown) => Read | null,
): { readonly good: true; readonly value: Absent | Read } | { readonly good: false } {
  if (!Object.hasOwn(claims, name)) return { good: true, value: absent }
  const value = read(claims[name])
  return value === null ? { good: false } : { good: true, value }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** QScope writes whole seconds. */
function secondsIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LAST_SECOND ? value : null
}

function audiencesIn(aud: unknown): string[] | null {
  const listed: unknown[] = Array.isArray(aud) ? aud : [aud]
  const audiences = listed.filter(isName)
  return audiences.length === listed.length && audiences.length > 0 ? audiences : null
}

function scopesIn(scope: unknown): string[] | null {
  return typeof scope === 'string' && SCOPE.test(scope) ? scope.split(' ') : null
}

/** RFC 8693 §4.1: who acts now, then who acted before. */
function actorsIn(act: unknown): string[] | null {
  const actors: string[] = []
  for (let actor = act; actor !== undefined; actor = Reflect.get(actor, 'act')) {
    if (typeof actor !== 'object' || actor === null) return null
    const sub: unknown = Reflect.get(actor, 'sub')
    if (!isName(sub)) return null
    actors.push(sub)
  }
  return actors
}

/** RFC 8705 §3.1. Nobody holds what is bound in a way that cannot be judged here (RFC 7800 §3.1). */
function thumbprintIn(cnf: unknown): string | null {
  if (typeof cnf !== 'object' || cnf === null || Object.keys(cnf).length !== 1) return null
  const thumbprint: unknown = Reflect.get(cnf, 'x5t#S256')
  return isName(thumbprint) ? thumbprint : null
}

/** A claim of QScope's own: whatever it is, the token is good without it. */
function revocationKeysIn(rvk: unknown): readonly string[] | null {
  if (!Array.isArray(rvk) || rvk.length === 0 || rvk.length > MOST_REVOCATION_KEYS) return null
  const listed: unknown[] = rvk
  const keys = listed.filter(isRevocationKey)
  return keys.length === listed.length ? keys : null
}

export function isRevocationKey(value: unknown): value is string {
  return typeof value === 'string' && REVOCATION_KEY.test(value)
}

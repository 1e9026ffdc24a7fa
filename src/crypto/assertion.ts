import { compactVerify } from 'jose/jws/compact/verify'
import { z } from 'zod'
import { type EpochMs, epochMs, type Milliseconds } from '../domain/ids.ts'
import { claimsIn, readCompactJws } from './compact-jws.ts'
import type { VerificationKey } from './key-set.ts'

/** The claims of an assertion, with times in seconds as in the JWT (RFC 7519 §4.1). */
const CLAIMS = z.looseObject({
  /** Optional in a JWT-SVID (SPIFFE JWT-SVID §3). */
  iss: z.string().min(1).optional(),
  sub: z.string().min(1),
  /** A single audience may be in a list. `audiencesOf` reports more than one. */
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  jti: z.string().min(1).max(1_024).optional(),
})

export type AssertionClaims = z.infer<typeof CLAIMS>

/** A JWT whose signature was not verified. */
export interface UnverifiedAssertion {
  readonly text: string
  readonly kid: string | null
  readonly algorithm: string
  /** `typ`. `null`: absent. */
  readonly type: string | null
  /** Unverified claims. Use them only to select the keys, or to refuse the assertion. */
  readonly claimed: AssertionClaims
}

/** The purpose of an assertion, if its type states it. */
export type AssertionPurpose = 'client-authentication+jwt' | 'authorization-grant+jwt'

/** In characters. Longer texts are not parsed. */
const LONGEST_ASSERTION = 16_384

/** Parses a signed JWT of any issuer and purpose. `null`: it is not one, or lacks a claim that every assertion has. */
export function readAssertion(text: string): UnverifiedAssertion | null {
  const jws = readCompactJws(text, LONGEST_ASSERTION)
  if (jws === null) return null
  const claimed = CLAIMS.safeParse(claimsIn(jws))
  const { algorithm, kid, type } = jws.header
  return claimed.success ? { text, kid, algorithm, type, claimed: claimed.data } : null
}

/**
 * RFC 8725 §3.11: rejects a JWT whose type states another purpose, such as an access token or the other kind of
 * assertion.
 */
export function isTypedFor({ type }: Pick<UnverifiedAssertion, 'type'>, purpose: AssertionPurpose): boolean {
  if (type === null) return true
  const name = type.toLowerCase().replace(/^application\//, '')
  return name === 'jwt' || name === purpose
}

/** SPIFFE JWT-SVID §2.1 and §2.3: the allowed header values. */
export function isTypedAsSvid({ type, algorithm }: Pick<UnverifiedAssertion, 'type' | 'algorithm'>): boolean {
  return (type === null || type === 'JWT' || type === 'JOSE') && algorithm !== 'EdDSA'
}

/** Limits the verifications for an assertion that names no key. */
const MOST_TRIED = 10

/** Whether a key may have signed it. A key with another id or algorithm is never tried. */
export function mayHaveSigned({ kid, algorithm }: VerificationKey, assertion: UnverifiedAssertion): boolean {
  return algorithm === assertion.algorithm && (kid === null || assertion.kid === null || kid === assertion.kid)
}

/** The claims, if one of the keys signed them (RFC 7515 §5.2). Otherwise `null`. Never throws. */
export async function verifyAssertion(
  assertion: UnverifiedAssertion,
  keys: readonly VerificationKey[],
): Promise<AssertionClaims | null> {
  const candidates = keys.filter((key) => mayHaveSigned(key, assertion))
  for (const key of candidates.slice(0, MOST_TRIED)) {
    if (await isSignedBy(key, assertion.text)) return assertion.claimed
  }
  return null
}

/** An invalid signature is a result, not an error. */
async function isSignedBy({ key, algorithm }: VerificationKey, text: string): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [algorithm] })
    return true
  } catch {
    return false
  }
}

/** Whether an assertion has exactly one audience, so that no other recipient can replay it. */
export function isOnlyFor({ aud }: Pick<AssertionClaims, 'aud'>, audience: string): boolean {
  return typeof aud === 'string' ? aud === audience : aud.length === 1 && aud[0] === audience
}

/** The allowed clock skew of the assertion's maker, in seconds. */
const SKEW = 30
const SECOND = 1_000

/**
 * RFC 7523 §3, items 4 to 6: not expired, not valid for longer than `longest` from now, not issued or starting in the
 * future. A clock that is ahead shifts all three times, so each gets the same leeway for that. A past expiry gets none.
 */
export function isTimely({ exp, nbf = 0, iat = 0 }: AssertionClaims, now: EpochMs, longest: Milliseconds): boolean {
  const second = Math.floor(now / SECOND)
  const latest = now / SECOND + SKEW
  return now < exp * SECOND && exp < second + longest / SECOND + SKEW && nbf <= latest && iat <= latest
}

export function endOf({ exp }: AssertionClaims): EpochMs {
  return epochMs(Math.ceil(exp * SECOND))
}

import { compactVerify } from 'jose/jws/compact/verify'
import { z } from 'zod'
import { type EpochMs, epochMs, type Milliseconds } from '../domain/ids.ts'
import { claimsIn, readCompactJws } from './compact-jws.ts'
import type { VerificationKey } from './key-set.ts'

/** The claims of an assertion, in seconds as they are written (RFC 7519 §4.1). */
const CLAIMS = z.looseObject({
  /** A JWT-SVID need not have one (SPIFFE JWT-SVID §3). */
  iss: z.string().min(1).optional(),
  sub: z.string().min(1),
  /** A single audience may stand in a list; more than one is told by `audiencesOf`. */
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  jti: z.string().min(1).max(1_024).optional(),
})

export type AssertionClaims = z.infer<typeof CLAIMS>

/** A JWT that nobody has vouched for yet. */
export interface UnverifiedAssertion {
  readonly text: string
  readonly kid: string | null
  readonly algorithm: string
  /** `typ`; `null`: there is none. */
  readonly type: string | null
  /** As claimed: they tell whose keys to try, nothing more. */
  readonly claimed: AssertionClaims
}

/** What an assertion is made for, as its type says where it says so. */
export type AssertionPurpose = 'client-authentication+jwt' | 'authorization-grant+jwt'

/** In characters; longer ones are not looked at. */
const LONGEST_ASSERTION = 16_384

/** Reads a signed JWT, whoever made it and for whatever; `null`: it is none, or lacks what each assertion has. */
export function readAssertion(text: string): UnverifiedAssertion | null {
  const jws = readCompactJws(text, LONGEST_ASSERTION)
  if (jws === null) return null
  const claimed = CLAIMS.safeParse(claimsIn(jws))
  const { algorithm, kid, type } = jws.header
  return claimed.success ? { text, kid, algorithm, type, claimed: claimed.data } : null
}

/** RFC 8725 §3.11: what was made for another purpose, such as an access token or the other assertion, says so. */
export function isTypedFor({ type }: Pick<UnverifiedAssertion, 'type'>, purpose: AssertionPurpose): boolean {
  if (type === null) return true
  const name = type.toLowerCase().replace(/^application\//, '')
  return name === 'jwt' || name === purpose
}

/** SPIFFE JWT-SVID §2.1 and §2.3: what its header may say. */
export function isTypedAsSvid({ type, algorithm }: Pick<UnverifiedAssertion, 'type' | 'algorithm'>): boolean {
  return (type === null || type === 'JWT' || type === 'JOSE') && algorithm !== 'EdDSA'
}

/** An assertion that names no key must not cost a hundred verifications. */
const MOST_TRIED = 10

/** Whether a key may have signed it: one that has another name or another algorithm is never tried. */
export function mayHaveSigned({ kid, algorithm }: VerificationKey, assertion: UnverifiedAssertion): boolean {
  return algorithm === assertion.algorithm && (kid === null || assertion.kid === null || kid === assertion.kid)
}

/** The claims, if one of the keys signed them (RFC 7515 §5.2); else `null`. Never throws. */
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

/** What is not signed by the key is an answer here, not an accident. */
async function isSignedBy({ key, algorithm }: VerificationKey, text: string): Promise<boolean> {
  try {
    await compactVerify(text, key, { algorithms: [algorithm] })
    return true
  } catch {
    return false
  }
}

/** Whether an assertion is for one audience and no other, that nobody else may pass it on. */
export function isOnlyFor({ aud }: Pick<AssertionClaims, 'aud'>, audience: string): boolean {
  return typeof aud === 'string' ? aud === audience : aud.length === 1 && aud[0] === audience
}

/** How far the clock of who made an assertion may be ahead of ours, in seconds. */
const SKEW = 30
const SECOND = 1_000

/**
 * RFC 7523 §3, items 4 to 6: not expired, not valid for longer than `longest`
 * from now, not made for or in the future. A clock that is ahead puts all three
 * times ahead, so each is given the same leeway; an end that is past is given none.
 */
export function isTimely({ exp, nbf = 0, iat = 0 }: AssertionClaims, now: EpochMs, longest: Milliseconds): boolean {
  const second = Math.floor(now / SECOND)
  const latest = now / SECOND + SKEW
  return now < exp * SECOND && exp < second + longest / SECOND + SKEW && nbf <= latest && iat <= latest
}

export function endOf({ exp }: AssertionClaims): EpochMs {
  return epochMs(Math.ceil(exp * SECOND))
}

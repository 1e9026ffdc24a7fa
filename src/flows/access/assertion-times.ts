import type { AssertionClaims } from '../../crypto/assertion.ts'
import { type EpochMs, epochMs, type Milliseconds } from '../../domain/ids.ts'

/** How far the clock of who made an assertion may be ahead of ours. */
const SKEW_MS = 30_000
const SECOND = 1_000

/**
 * RFC 7523 §3, items 4 to 6: not expired, not valid for longer than `longest`
 * from now, not made for or in the future. No leeway is given to `exp`.
 */
export function isTimely({ exp, nbf, iat }: AssertionClaims, now: EpochMs, longest: Milliseconds): boolean {
  const end = exp * SECOND
  const latest = now + SKEW_MS
  return now < end && end <= now + longest && (nbf ?? 0) * SECOND <= latest && (iat ?? 0) * SECOND <= latest
}

export function endOf({ exp }: AssertionClaims): EpochMs {
  return epochMs(Math.ceil(exp * SECOND))
}

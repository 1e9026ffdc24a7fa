import type { AssertionClaims } from '../crypto/assertion.ts'
import { type EpochMs, epochMs, type Milliseconds } from '../domain/ids.ts'

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

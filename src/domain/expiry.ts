import { type EpochMs, epochMs, type Milliseconds, milliseconds } from './ids.ts'

/** What grows with use, and is deleted when nobody can ask for it any more. */
export const PURGE_KINDS = Object.freeze([
  'access_tokens',
  'grants',
  'device_authorizations',
  'assertion_ids',
  'revocations',
  'scope_usage',
] as const)
export type PurgeKind = (typeof PURGE_KINDS)[number]

const SECOND = 1_000

/**
 * When something ends that lives for a span from now: on a whole second, rounded
 * down, because `exp` of a JWT and `expires_in` know no others (RFC 7519 §2,
 * RFC 6749 §5.1). So a row, a JWT and an answer name one moment, and nothing
 * lives longer than its span. What has a second or more to live is alive when it
 * is issued; a shorter span ends with the second that has begun.
 */
export function expiryAfter(now: EpochMs, span: Milliseconds): EpochMs {
  return wholeSecond(now, now + span)
}

/** The same, but no later than what it depends on. */
export function expiryWithin(now: EpochMs, span: Milliseconds, latest: EpochMs): EpochMs {
  return wholeSecond(now, Math.min(now + span, latest))
}

function wholeSecond(now: EpochMs, end: number): EpochMs {
  const whole = Math.floor(end / SECOND) * SECOND
  return epochMs(whole > now ? whole : whole + SECOND)
}

/**
 * RFC 6749 §5.1, `expires_in`: the whole seconds that are left, never more than
 * there are. Within the last second it is told to the millisecond, for zero
 * would say that the thing has expired.
 */
export function timeLeft(expiresAt: EpochMs, now: EpochMs): Milliseconds {
  const left = Math.max(0, expiresAt - now)
  return milliseconds(left < SECOND ? left : Math.floor(left / SECOND) * SECOND)
}

import { type EpochMs, epochMs, type Milliseconds, milliseconds } from './ids.ts'

/** Records that accumulate with use. The purge deletes them when nobody can ask for them any more. */
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
 * The end of something that lives for `span` from now, rounded down to a whole second, because `exp` of a JWT and
 * `expires_in` have whole seconds only (RFC 7519 §2, RFC 6749 §5.1). A row, a JWT and an answer therefore agree, and nothing
 * outlives its span. A span of at least a second is not over at issue. A shorter span ends with the current second.
 */
export function expiryAfter(now: EpochMs, span: Milliseconds): EpochMs {
  return wholeSecond(now, now + span)
}

/** The same, but not after `latest`, the end of what it depends on. */
export function expiryWithin(now: EpochMs, span: Milliseconds, latest: EpochMs): EpochMs {
  return wholeSecond(now, Math.min(now + span, latest))
}

function wholeSecond(now: EpochMs, end: number): EpochMs {
  const whole = Math.floor(end / SECOND) * SECOND
  return epochMs(whole > now ? whole : whole + SECOND)
}

/**
 * RFC 6749 §5.1, `expires_in`: the whole seconds left, rounded down. Within the last second the result is in milliseconds,
 * because zero would mean that it has expired.
 */
export function timeLeft(expiresAt: EpochMs, now: EpochMs): Milliseconds {
  const left = Math.max(0, expiresAt - now)
  return milliseconds(left < SECOND ? left : Math.floor(left / SECOND) * SECOND)
}

import { abortable } from '../abortable.ts'
import { type AccessTokenClaims, CLOCK_SKEW_MS, hasBegun, readAccessTokenClaims } from './access-token-claims.ts'
import type { KeySet } from './key-set.ts'
import { isSigned } from './signature.ts'
import { readSignedToken } from './signed-token.ts'
import { LONGEST_TOKEN, type PresentedToken, type TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

/** Whose tokens are taken, and for whom they have to be. */
export interface OfflineVerifierOptions {
  readonly keys: KeySet
  /** QScope's issuer, to the letter. */
  readonly issuer: string
  /** One of these must be in the token's audience (RFC 9068 §4). */
  readonly audience: string | readonly string[]
  /** For how long after its `exp` a token is still taken, for a clock that is ahead of QScope's; 0 s unless given. */
  readonly clockToleranceSeconds?: number | undefined
  /** The time, in milliseconds since 1970; `Date.now` unless given. */
  readonly now?: (() => number) | undefined
}

/**
 * Verifies JWT access tokens (RFC 9068 §4) by QScope's keys, without asking it.
 * Such a check cannot see a revocation: a revoked token is taken until it
 * expires, and a revoked key until the key set at hand is too old. Opaque
 * tokens are not good here.
 */
export function offlineVerifier(options: OfflineVerifierOptions): TokenVerifier {
  const { keys, issuer, clockToleranceSeconds = 0, now = Date.now } = options
  const audiences: readonly string[] = typeof options.audience === 'string' ? [options.audience] : options.audience

  function isCurrent(claims: AccessTokenClaims): boolean {
    const moment = now()
    const toleranceMs = clockToleranceSeconds * 1_000
    return (
      moment < claims.token.expireTime.getTime() + toleranceMs &&
      hasBegun(claims, moment + Math.max(CLOCK_SKEW_MS, toleranceMs))
    )
  }

  async function judge({ value, certificate }: PresentedToken): Promise<VerifiedToken | null> {
    const signed = readSignedToken(value)
    const claims = signed === null ? null : readAccessTokenClaims(signed.payload)
    if (signed === null || claims === null) return null
    const { token } = claims
    if (token.issuer !== issuer || !audiences.some((audience) => token.audiences.includes(audience))) return null
    if (!isCurrent(claims)) return null
    if (token.certificate !== null && token.certificate !== certificate) return null
    return (await isSigned(value, signed.alg, keys)) ? token : null
  }

  return {
    async verify(presented) {
      presented.signal?.throwIfAborted()
      if (presented.value.length > LONGEST_TOKEN) return null
      return await abortable(judge(presented), presented.signal)
    },
  }
}

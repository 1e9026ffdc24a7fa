import { CLOCK_SKEW_MS, hasBegun, isRevocationKey, readAccessTokenClaims } from '../access-token-claims.ts'
import { type KeySet, KeySetUnavailableError } from '../key-set.ts'
import { isSigned } from '../signature.ts'
import { readSignedToken } from '../signed-token.ts'
import type { VerifiedToken } from '../verified-token.ts'

/** A JWT that is good unless one of its keys was told. */
export interface SignedAccess {
  readonly token: VerifiedToken
  /** Of the token and of its signing key. */
  readonly keys: readonly string[]
}

/** `forged`: it is certainly not good. `unsure`: only QScope can tell. */
export type OfflineJudgement = SignedAccess | 'forged' | 'unsure'

/** Judges JWT access tokens by QScope's keys (RFC 9068 §4), so far as that can be done without asking. */
export class OfflineJudge {
  readonly #keys: KeySet
  readonly #issuer: string
  /** Checks of signatures that go on, by token: the same token is not checked twice at a time. */
  readonly #checks = new Map<string, Promise<boolean | null>>()

  constructor(keys: KeySet, issuer: string) {
    this.#keys = keys
    this.#issuer = issuer
  }

  async judge(value: string, nowMs: () => number): Promise<OfflineJudgement> {
    const signed = readSignedToken(value)
    const claims = signed === null ? null : readAccessTokenClaims(signed.payload)
    if (signed === null || claims === null) return 'unsure'
    const { token, revocationKeys } = claims
    if (token.issuer !== this.#issuer) return 'forged'
    const isGood = await this.#isSigned(value, signed.alg)
    const signerKey = this.#keys.revocationKeyOf?.(signed.kid) ?? null
    // A key that the set lacks may be newer than the set.
    if (isGood === null || !isRevocationKey(signerKey)) return 'unsure'
    if (!isGood) return 'forged'
    if (revocationKeys === null) return 'unsure'
    return hasBegun(claims, nowMs() + CLOCK_SKEW_MS) ? { token, keys: [...revocationKeys, signerKey] } : 'unsure'
  }

  /** `null`: the keys are not to be had. */
  #isSigned(value: string, alg: string): Promise<boolean | null> {
    let check = this.#checks.get(value)
    if (check === undefined) {
      check = isSigned(value, alg, this.#keys)
        .catch((error: unknown) => {
          if (error instanceof KeySetUnavailableError) return null
          throw error
        })
        .finally(() => this.#checks.delete(value))
      this.#checks.set(value, check)
    }
    return check
  }
}

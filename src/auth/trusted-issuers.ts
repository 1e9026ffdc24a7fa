import type { UnverifiedAssertion } from '../crypto/assertion.ts'
import type { VerificationKey } from '../crypto/key-set.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'

/** An issuer, and the way to its keys. */
export interface KnownIssuer {
  readonly terms: TrustedIssuer
  /**
   * The keys that the issuer publishes, among them the one that the assertion
   * names if there is one. `null`: they cannot be had at the moment.
   */
  keysFor(assertion: UnverifiedAssertion): Promise<readonly VerificationKey[] | null>
}

/** By `iss`. */
export type TrustedIssuers = ReadonlyMap<string, KnownIssuer>

import type { UnverifiedAssertion } from '../crypto/assertion.ts'
import type { VerificationKey } from '../crypto/key-set.ts'
import type { KeyHolder } from '../domain/trusted-issuer.ts'

/** The keys that may verify an assertion, or the reason why there are none at the moment. */
export type FoundKeys =
  | {
      readonly ok: true
      readonly keys: readonly VerificationKey[]
      /** The keys of the set that cannot be used here, with the reason, a line each. */
      readonly leftOut: readonly string[]
    }
  /** `problem`: one line without secrets, for the log and for administrators of trust. Callers do not see it. */
  | { readonly ok: false; readonly problem: string }

/** The key sets of trusted issuers. */
export interface IssuerKeySets {
  /**
   * The keys that the issuer publishes. They include the one that the assertion names if it exists. A withdrawn key is
   * included for at most five minutes.
   */
  keysFor(issuer: KeyHolder, assertion: UnverifiedAssertion): Promise<FoundKeys>
}

/** The key sets of clients. They are in the registration or at the URL that it names. */
export interface ClientKeySets {
  /** Like `IssuerKeySets.keysFor`, by `jwks_uri` (RFC 7591 §2). */
  keysAt(jwksUri: string, assertion: UnverifiedAssertion): Promise<FoundKeys>
}

import type { UnverifiedAssertion } from '../crypto/assertion.ts'
import type { VerificationKey } from '../crypto/key-set.ts'
import type { KeyHolder } from '../domain/trusted-issuer.ts'

/** The keys by which an assertion may be verified, or why there are none at the moment. */
export type FoundKeys =
  | {
      readonly ok: true
      readonly keys: readonly VerificationKey[]
      /** The keys of the set that verify nothing here, and why: a line each. */
      readonly leftOut: readonly string[]
    }
  /** `problem`: one line without secrets, for the log and for who may administer trust; callers are not told. */
  | { readonly ok: false; readonly problem: string }

/** The key sets of trusted issuers. */
export interface IssuerKeySets {
  /**
   * The keys that the issuer publishes, among them the one that the assertion names if there
   * is one. A key that the issuer withdrew is among them for at most five minutes.
   */
  keysFor(issuer: KeyHolder, assertion: UnverifiedAssertion): Promise<FoundKeys>
}

/** The key sets of clients, which stand in their registration or where that says. */
export interface ClientKeySets {
  /** As `IssuerKeySets.keysFor`, by `jwks_uri` (RFC 7591 §2). */
  keysAt(jwksUri: string, assertion: UnverifiedAssertion): Promise<FoundKeys>
}

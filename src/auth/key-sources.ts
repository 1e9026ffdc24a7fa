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
      /** Whether the caller waited for a fetch. What it read of the party before may have changed meanwhile. */
      readonly waited: boolean
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

/** The places from which published keys are read. `bundle`: a SPIFFE trust domain's; `client_jwks_uri`: RFC 7591 §2. */
export const KEY_SOURCES = Object.freeze(['file', 'jwks_uri', 'discovery', 'bundle', 'client_jwks_uri'] as const)
export type KeySource = (typeof KEY_SOURCES)[number]

/** `unavailable`: there was no usable answer. `unusable`: the answer breaks a rule, or is no key set. */
export const KEY_READ_OUTCOMES = Object.freeze(['ok', 'unavailable', 'unusable'] as const)
export type KeyReadOutcome = (typeof KEY_READ_OUTCOMES)[number]

export interface KeyReadObserver {
  /** An attempt to read keys ended after so many seconds. */
  keysRead(source: KeySource, outcome: KeyReadOutcome, seconds: number): void
}

import type { UnverifiedAssertion } from '../crypto/assertion.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { FoundKeys } from './key-sources.ts'

/** An issuer, and the way to its keys. */
export interface KnownIssuer {
  readonly terms: TrustedIssuer
  /**
   * The keys that the issuer publishes, among them the one that the assertion
   * names if there is one, or why they cannot be had at the moment.
   */
  keysFor(assertion: UnverifiedAssertion): Promise<FoundKeys>
}

/**
 * The issuers of the server's file and those of the database. Where both have one name,
 * the file's counts. What is committed counts from the next call on.
 */
export interface TrustedIssuers {
  /** Those of the server's file, by their names. */
  readonly ofFile: ReadonlyMap<string, TrustedIssuer>
  /** By its exact name; `null`: nobody by this name is trusted. */
  find(ctx: StoreContext, issuer: string): Promise<KnownIssuer | null>
  /** Whether any issuer is trusted. */
  isAny(ctx: StoreContext): Promise<boolean>
  /** All of them, in ascending byte order of their names. It may look through a whole table. */
  all(ctx: StoreContext): Promise<readonly TrustedIssuer[]>
}

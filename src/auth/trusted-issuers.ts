import type { UnverifiedAssertion } from '../crypto/assertion.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { FoundKeys } from './key-sources.ts'

/** An issuer, and access to its keys. */
export interface KnownIssuer {
  readonly terms: TrustedIssuer
  /**
   * The keys that the issuer publishes, or the reason why they are unavailable at the moment. They include the one that
   * the assertion names if it exists.
   */
  keysFor(assertion: UnverifiedAssertion): Promise<FoundKeys>
}

/**
 * The issuers of the server's file and those of the database. If both contain a name, the file takes precedence. A
 * committed change applies from the next call on.
 */
export interface TrustedIssuers {
  /** The issuers of the server's file, by name. */
  readonly ofFile: ReadonlyMap<string, TrustedIssuer>
  /** Finds an issuer by its exact name. `null`: no issuer of this name is trusted. */
  find(ctx: StoreContext, issuer: string): Promise<KnownIssuer | null>
  /** Whether any issuer is trusted. */
  isAny(ctx: StoreContext): Promise<boolean>
  /** All issuers, in ascending byte order of their names. This may read a whole table. */
  all(ctx: StoreContext): Promise<readonly TrustedIssuer[]>
}

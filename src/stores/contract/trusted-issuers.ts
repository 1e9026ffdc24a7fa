import type { IssuerRegistration, RegisteredIssuer } from '../../domain/trusted-issuer.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface TrustedIssuerFilter {
  /** Whose mark it has. */
  readonly owner: string | null
}

export interface TrustedIssuerReads {
  /** By its exact name; `null`: there is none. */
  find(ctx: StoreContext, issuer: string): Promise<RegisteredIssuer | null>
  /** Whether there is one at all. */
  isAny(ctx: StoreContext): Promise<boolean>
  /** In ascending byte order of the names. */
  page(ctx: StoreContext, filter: TrustedIssuerFilter, page: PageRequest<string>): Promise<readonly RegisteredIssuer[]>
}

export interface TrustedIssuerStore extends TrustedIssuerReads {
  /**
   * Lets whoever changes what some issuer can prove do so alone, until the end of the
   * transaction: others who take it wait, and on a cluster, whose row locks are local to
   * a node, the loser is rolled back. It is taken before any other row. `false`: another
   * transaction made the row meanwhile; roll back.
   */
  lock(change: Change): Promise<boolean>
  /** Of any number of concurrent calls with one name, exactly one returns `true`; after `false` roll back. */
  insert(issuer: RegisteredIssuer): Promise<boolean>
  /** Replaces everything that can change, if the revision is still `revision`. `false`: it is not. */
  update(issuer: IssuerRegistration & { readonly revision: string }, revision: string, change: Change): Promise<boolean>
  /** Of any number of concurrent calls, one returns `true`; none does where the revision is another one. */
  delete(issuer: string, revision: string): Promise<boolean>
}

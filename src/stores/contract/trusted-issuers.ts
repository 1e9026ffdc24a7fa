import type { IssuerRegistration, RegisteredIssuer } from '../../domain/trusted-issuer.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface TrustedIssuerFilter {
  /** The owner's mark on the issuer. */
  readonly owner: string | null
}

export interface TrustedIssuerReads {
  /** Looks up the exact name; `null`: it does not exist. */
  find(ctx: StoreContext, issuer: string): Promise<RegisteredIssuer | null>
  /** Whether any trusted issuer exists. */
  isAny(ctx: StoreContext): Promise<boolean>
  /** The number of trusted issuers. */
  count(ctx: StoreContext): Promise<number>
  /** In ascending byte order of the names. */
  page(ctx: StoreContext, filter: TrustedIssuerFilter, page: PageRequest<string>): Promise<readonly RegisteredIssuer[]>
}

export interface TrustedIssuerStore extends TrustedIssuerReads {
  /**
   * Serializes the changes of the identities that issuers can prove, until the end of the transaction. Other transactions
   * that lock it wait. On a cluster, row locks are local to a node, and the loser is rolled back. This lock must be taken
   * before any other row. `false`: another transaction created the row meanwhile; roll back.
   */
  lock(change: Change): Promise<boolean>
  /** Of any number of concurrent calls with one name, exactly one returns `true`. After `false`, roll back. */
  insert(issuer: RegisteredIssuer): Promise<boolean>
  /** Replaces all changeable parts if the revision is still `revision`. `false`: it differs. */
  update(issuer: IssuerRegistration & { readonly revision: string }, revision: string, change: Change): Promise<boolean>
  /** Of any number of concurrent calls, one returns `true`. None does if the revision differs. */
  delete(issuer: string, revision: string): Promise<boolean>
}

import type { KeyId, Milliseconds } from '../../domain/ids.ts'
import type { RevocableFact, Revocation, RevocationHeads, RevocationRange } from '../../domain/revocation.ts'
import type { StoreContext } from './context.ts'

/**
 * The keys of facts that were ended early. The stores write them in the commit that ends the fact.
 *
 * - A writer commits one transaction at a time, and numbers its revocations in commit order. A read of a writer thus has no
 *   gaps: after its head was read, later reads find every revocation up to it.
 * - A read sees all data that was committed before it began, on any instance and node.
 * - Numbers are never reused, but some may be skipped.
 */
export interface RevocationReads {
  /**
   * The current positions of all writers, read in one statement. A writer appears with its first revocation, and disappears
   * when none of its revocations is left.
   */
  heads(ctx: StoreContext): Promise<RevocationHeads>
  /**
   * The revocations in these ranges, ordered by writer and sequence. At most `limit`; fewer mean that there are no more. The
   * ranges must be of different writers. Purged revocations are missing; they are purged at the earliest `REVOCATION_KEPT`
   * after their `forgetTime`.
   */
  page(ctx: StoreContext, ranges: readonly RevocationRange[], limit: number): Promise<readonly Revocation[]>
  /** The keys of the keyring under which an instance has recorded the issue of tokens within a span by the database's clock. */
  keyIds(ctx: StoreContext, within: Milliseconds): Promise<readonly KeyId[]>
}

/** Maps an ended fact to its revocation keys. The composition root passes it to the backend. */
export interface RevocationTelling {
  /** One key of 16 bytes for each key of the keyring under which an unexpired token may contain the fact. */
  keysOf(fact: RevocableFact): readonly Buffer[]
}

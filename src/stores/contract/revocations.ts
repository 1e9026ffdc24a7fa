import type { KeyId, Milliseconds } from '../../domain/ids.ts'
import type { RevocableFact, Revocation, RevocationHeads, RevocationRange } from '../../domain/revocation.ts'
import type { StoreContext } from './context.ts'

/**
 * The keys of what was ended early. They are written in the commit that ends it, by
 * the stores themselves: whoever ends a fact tells it.
 *
 * - A writer commits one transaction at a time, and numbers its revocations in the
 *   order of its commits. So what a read finds of a writer has no gaps: once its head
 *   is read, every revocation up to it is there for reads that begin later.
 * - A read sees what was committed before it began, on whichever instance and node.
 * - Numbers are never used again, but some may be left out.
 */
export interface RevocationReads {
  /**
   * How far all writers have come, in one statement. A writer is entered with its first
   * revocation, and gone when none of its own is left.
   */
  heads(ctx: StoreContext): Promise<RevocationHeads>
  /**
   * What lies in these ranges, ordered by writer and sequence, `limit` of it at most:
   * fewer than `limit` is all there is. The ranges are of different writers. What was
   * purged is missing: no sooner than `REVOCATION_KEPT` after its `forgetTime`.
   */
  page(ctx: StoreContext, ranges: readonly RevocationRange[], limit: number): Promise<readonly Revocation[]>
  /** The keys of the keyring under which an instance has issued tokens, as it noted, within a span by the database's clock. */
  keyIds(ctx: StoreContext, within: Milliseconds): Promise<readonly KeyId[]>
}

/** Says which keys tell that a fact ended; given to a backend by the composition root. */
export interface RevocationTelling {
  /** One for each key of the keyring under which an unexpired token may carry the fact; 16 bytes each. */
  keysOf(fact: RevocableFact): readonly Buffer[]
}

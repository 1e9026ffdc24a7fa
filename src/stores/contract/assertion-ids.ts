import type { EpochMs } from '../../domain/ids.ts'
import type { StoreContext } from './context.ts'

/** The use of an assertion's id (RFC 7523 §3, `jti`). The first caller that presents it stores it. */
export interface AssertionUse {
  /** 32 bytes: a hash over the issuer of the assertion, its purpose, and its id. */
  readonly hash: Buffer
  /** Identifies this use. */
  readonly useId: string
  /** The end of the assertion. After it, the use can be forgotten. */
  readonly expiresAt: EpochMs
  readonly usedAt: EpochMs
  /** Whose assertion it was. */
  readonly by: string
}

/** What is known about the use of some assertions at one moment. */
export interface KnownUses {
  readonly stored: readonly Pick<AssertionUse, 'hash' | 'useId'>[]
  /** The latest end of the deleted uses. The uses of all assertions that end later are stored. `null`: none was deleted. */
  readonly deletedUntil: EpochMs | null
}

export interface AssertionIdStore {
  /** The stored uses with these hashes. */
  find(ctx: StoreContext, hashes: readonly Buffer[]): Promise<KnownUses>
  /** Of any number of concurrent calls with one hash, exactly one returns `true`. After `false`, roll back. */
  insert(uses: readonly AssertionUse[]): Promise<boolean>
}

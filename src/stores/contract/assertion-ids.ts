import type { EpochMs } from '../../domain/ids.ts'
import type { StoreContext } from './context.ts'

/** An assertion's id (RFC 7523 §3, `jti`) was shown by who was first to. */
export interface AssertionUse {
  /** 32 bytes: who made the assertion, what for, and its id. */
  readonly hash: Buffer
  /** Names this use and no other. */
  readonly useId: string
  /** When the assertion ends, and the use need not be known any more. */
  readonly expiresAt: EpochMs
  readonly usedAt: EpochMs
  /** Whose assertion it was. */
  readonly by: string
}

export interface AssertionIdStore {
  /** The uses that are stored under these hashes. */
  find(ctx: StoreContext, hashes: readonly Buffer[]): Promise<readonly Pick<AssertionUse, 'hash' | 'useId'>[]>
  /** Of any number of concurrent calls with one hash, exactly one returns `true`; after `false` roll back. */
  insert(uses: readonly AssertionUse[]): Promise<boolean>
}

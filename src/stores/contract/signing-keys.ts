import type { EpochMs, KeyId, Milliseconds, SigningKeyId } from '../../domain/ids.ts'
import type { SigningAlgorithm, SigningKey, SigningKeyState } from '../../domain/signing-key.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface SigningKeyFilter {
  /** `null`: all. */
  readonly state: SigningKeyState | null
}

export interface SigningKeyReads {
  /** A key in any state; batched. */
  find(ctx: StoreContext, keyId: SigningKeyId): Promise<SigningKey | null>
  /** The active key of an algorithm at this moment. Every issue of a token looks it up; batched. */
  findActive(ctx: StoreContext, algorithm: SigningAlgorithm): Promise<SigningKey | null>
  /** The keys for verifying tokens at `ctx.now`: prepared, active, and retired ones whose last token has not expired; oldest first. */
  published(ctx: StoreContext): Promise<readonly SigningKey[]>
  /** In descending order of preparation. */
  page(ctx: StoreContext, filter: SigningKeyFilter, page: PageRequest<SigningKeyId>): Promise<readonly SigningKey[]>
  /** The keys of the keyring that encrypt private keys. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface SigningKeyStore extends SigningKeyReads {
  /**
   * Prevents others from adding keys until the transaction ends. Another caller waits, and then reads the added keys.
   * `false`: another transaction was first; roll back.
   */
  lock(change: Change): Promise<boolean>
  /** `false`: a key with this id exists; roll back. */
  insert(key: SigningKey): Promise<boolean>
  /**
   * Activates a prepared key for signing. At most one key of an algorithm is active at any time. `false`: it is not prepared,
   * or another one is active; roll back.
   */
  activate(keyId: SigningKeyId, change: Change): Promise<boolean>
  /**
   * Records on an active key, before it signs, that a token signed by it will have this lifetime. `false`: the lifetime is
   * recorded already, or the key is not active.
   */
  coverLifetime(keyId: SigningKeyId, lifetime: Milliseconds, change: Change): Promise<boolean>
  /**
   * Ends the signing of a prepared or active key and erases its private key, if its state and longest lifetime are still as
   * given. Of any number of concurrent calls, at most one returns `true`.
   */
  retire(key: SigningKey, tokensUntil: EpochMs, change: Change): Promise<boolean>
  /** Ends a key and all tokens that it signed. Of any number of concurrent calls, exactly one returns `true`. */
  revoke(keyId: SigningKeyId, reason: string, change: Change): Promise<boolean>
}

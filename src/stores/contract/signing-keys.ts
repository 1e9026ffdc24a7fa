import type { EpochMs, KeyId, Milliseconds, SigningKeyId } from '../../domain/ids.ts'
import type { SigningAlgorithm, SigningKey, SigningKeyState } from '../../domain/signing-key.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface SigningKeyFilter {
  /** `null`: all. */
  readonly state: SigningKeyState | null
}

export interface SigningKeyReads {
  /** A key in whatever state; batched. */
  find(ctx: StoreContext, keyId: SigningKeyId): Promise<SigningKey | null>
  /** The one key of an algorithm that signs, as of now: minting asks for it every time; batched. */
  findActive(ctx: StoreContext, algorithm: SigningAlgorithm): Promise<SigningKey | null>
  /** What others need to verify tokens at `ctx.now`: prepared, active, and retired ones whose last token has not expired; oldest first. */
  published(ctx: StoreContext): Promise<readonly SigningKey[]>
  /** The last prepared first. */
  page(ctx: StoreContext, filter: SigningKeyFilter, page: PageRequest<SigningKeyId>): Promise<readonly SigningKey[]>
  /** The keys of the keyring that private keys are encrypted under. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface SigningKeyStore extends SigningKeyReads {
  /**
   * Keeps others from adding keys until the transaction ends: whoever else asks
   * waits, and reads what was added. `false`: another one was first; roll back.
   */
  lock(change: Change): Promise<boolean>
  /** `false`: there is a key of this id; roll back. */
  insert(key: SigningKey): Promise<boolean>
  /**
   * Lets a prepared key sign. At every moment at most one key of an algorithm is
   * active. `false`: it is not prepared, or another one is active; roll back.
   */
  activate(keyId: SigningKeyId, change: Change): Promise<boolean>
  /**
   * Notes on an active key, before it signs, that a token of it will live so
   * long. `false`: it is noted already, or the key is not active.
   */
  coverLifetime(keyId: SigningKeyId, lifetime: Milliseconds, change: Change): Promise<boolean>
  /**
   * Ends the signing of a prepared or active key and erases its private half, if
   * its state and longest lifetime are still as given. Of any number of
   * concurrent calls, at most one returns `true`.
   */
  retire(key: SigningKey, tokensUntil: EpochMs, change: Change): Promise<boolean>
  /** Ends a key and all that it signed. Of any number of concurrent calls, exactly one returns `true`. */
  revoke(keyId: SigningKeyId, reason: string, change: Change): Promise<boolean>
}

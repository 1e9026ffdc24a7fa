import type { Client, ClientRegistration, ClientSecret, ClientType } from '../../domain/client.ts'
import type { FederatedIdentity } from '../../domain/federated-identity.ts'
import type { ClientId, EpochMs, KeyId, SecretId } from '../../domain/ids.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface ClientFilter {
  readonly enabled: boolean | null
  readonly type: ClientType | null
  readonly idPrefix: string | null
  /** The owner's mark on the client. */
  readonly owner: string | null
}

export interface ClientReads {
  /** The client, enabled or not; `null` if it does not exist or was deleted. */
  find(ctx: StoreContext, clientId: ClientId): Promise<Client | null>
  /** Whether the id is or was in use: the id of a deleted client stays reserved. */
  isReserved(ctx: StoreContext, clientId: ClientId): Promise<boolean>
  /** The owner of each of these audiences, without those that have none. The id of a deleted client still belongs to it. */
  audienceOwners(ctx: StoreContext, audiences: readonly string[]): Promise<ReadonlyMap<string, ClientId>>
  /** The owner of each of these identities, in the same order; `null`: no client has it. */
  identityOwners(
    ctx: StoreContext,
    identities: readonly Pick<FederatedIdentity, 'issuer' | 'subject'>[],
  ): Promise<readonly (ClientId | null)[]>
  /** The scopes of all clients, including disabled ones, that have an identity of an issuer. */
  scopesProvedBy(ctx: StoreContext, issuer: string): Promise<readonly string[]>
  /**
   * Whether the client that owns an audience is disabled, or was deleted and no client has claimed the audience since.
   * `false` if no client has ever owned it.
   */
  isAudienceClosed(ctx: StoreContext, audience: string): Promise<boolean>
  /** In ascending byte order of the ids, without deleted ones. */
  page(ctx: StoreContext, filter: ClientFilter, page: PageRequest<ClientId>): Promise<readonly Client[]>
}

export interface ClientStore extends ClientReads {
  /**
   * Registers a client, enabled, at version 1 and token generation 1, together with its config, its federated identities, and
   * its audiences (including its own id). Of any number of concurrent calls for the same id, audience or identity, exactly
   * one returns `true`. After `false`, this transaction must be rolled back.
   */
  insert(client: ClientRegistration, change: Change): Promise<boolean>
  /**
   * Replaces all changeable parts of a registration if its version is still `version`, and increments the version. `false`:
   * the version differs, or an audience or identity belongs to another client; roll back.
   */
  update(client: ClientRegistration, version: number, change: Change): Promise<boolean>
  /** Enables or disables a client under the same condition. */
  setEnabled(clientId: ClientId, enabled: boolean, version: number, change: Change): Promise<boolean>
  /** Ends all existing tokens, codes and grants by starting a new token generation. `false`: the client does not exist. */
  startTokenGeneration(clientId: ClientId, change: Change): Promise<boolean>
  /**
   * Deletes a client, its config, secrets, audiences and identities if its version is still `version`. The id stays reserved,
   * and its tokens are inactive.
   */
  delete(clientId: ClientId, version: number, change: Change): Promise<boolean>
  /**
   * Locks the client's row until the end of the transaction, so that other transactions that lock it wait. On a cluster, row
   * locks are local to a node, and the loser is rolled back. Makes no change that a caller can see. `false`: the client does
   * not exist.
   */
  lock(clientId: ClientId): Promise<boolean>
}

export interface ClientSecretReads {
  /** All secrets of a client, newest first, including expired ones, but without those whose maker was deleted. */
  ofClient(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The secrets of a client that were made by a deleted secret, directly or indirectly. They do not authenticate. */
  orphansOf(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The peppers of all secrets, including those of orphans. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

/** The stored form of a secret that was hashed here. */
export type RehashedSecret = Pick<ClientSecret, 'secretId' | 'keyId' | 'hash'>

export interface ClientSecretStore extends ClientSecretReads {
  insert(secret: ClientSecret): Promise<void>
  /** Makes all of a client's secrets expire at `at`, unless they expire earlier. */
  expireAll(clientId: ClientId, at: EpochMs): Promise<void>
  /** Removes a secret. Of any number of concurrent calls, exactly one returns `true`. */
  delete(clientId: ClientId, secretId: SecretId): Promise<boolean>
  /**
   * Replaces a hash that another server made. Of any number of concurrent calls, exactly one returns `true`. None does if the
   * stored hash is a different one, or was replaced.
   */
  rehash(secret: RehashedSecret, importedHash: string): Promise<boolean>
  /** Reassigns the secrets that one secret made to another maker. */
  adopt(clientId: ClientId, from: SecretId, by: SecretId | null): Promise<void>
  /** Records a use, unless a later one is recorded already. */
  markUsed(secretId: SecretId, at: EpochMs): Promise<void>
}

import type { Client, ClientRegistration, ClientSecret, ClientType } from '../../domain/client.ts'
import type { FederatedIdentity } from '../../domain/federated-identity.ts'
import type { ClientId, EpochMs, KeyId, SecretId } from '../../domain/ids.ts'
import type { Change, PageRequest, StoreContext } from './context.ts'

export interface ClientFilter {
  readonly enabled: boolean | null
  readonly type: ClientType | null
  readonly idPrefix: string | null
  /** Whose mark it has. */
  readonly owner: string | null
}

export interface ClientReads {
  /** The client, enabled or not; `null` if there is none or it was deleted. */
  find(ctx: StoreContext, clientId: ClientId): Promise<Client | null>
  /** Whether the id is in use or was: a deleted client's stays reserved. */
  isReserved(ctx: StoreContext, clientId: ClientId): Promise<boolean>
  /** Who answers for each of these audiences; the unowned are left out. The id of a deleted client stays its own. */
  audienceOwners(ctx: StoreContext, audiences: readonly string[]): Promise<ReadonlyMap<string, ClientId>>
  /** Whose each of these identities is, in the same order; `null`: no client has it. */
  identityOwners(
    ctx: StoreContext,
    identities: readonly Pick<FederatedIdentity, 'issuer' | 'subject'>[],
  ): Promise<readonly (ClientId | null)[]>
  /** The scopes of all clients, disabled ones too, that have an identity of an issuer. */
  scopesProvedBy(ctx: StoreContext, issuer: string): Promise<readonly string[]>
  /**
   * Whether the client that answers for an audience is disabled, or was deleted
   * and nobody has taken the audience since; `false` where nobody ever did.
   */
  isAudienceClosed(ctx: StoreContext, audience: string): Promise<boolean>
  /** In ascending byte order of the ids, deleted ones left out. */
  page(ctx: StoreContext, filter: ClientFilter, page: PageRequest<ClientId>): Promise<readonly Client[]>
}

export interface ClientStore extends ClientReads {
  /**
   * Registers a client, enabled, at version 1 and token generation 1, together
   * with its config, its federated identities, and the audiences it answers for (its
   * own id among them). Of any number of concurrent calls that want the same id,
   * audience or identity, exactly one returns `true`; after `false` nothing more may be done in this
   * transaction but rolling it back.
   */
  insert(client: ClientRegistration, change: Change): Promise<boolean>
  /**
   * Replaces everything of a registration that can change, if its version is
   * still `version`, and adds one to it. `false`: it was not, or an audience
   * or identity is another's; roll back.
   */
  update(client: ClientRegistration, version: number, change: Change): Promise<boolean>
  /** Enables or disables, under the same rule. */
  setEnabled(clientId: ClientId, enabled: boolean, version: number, change: Change): Promise<boolean>
  /**
   * Ends every token, code and grant made until now by starting a new token
   * generation. `false`: there is no such client.
   */
  startTokenGeneration(clientId: ClientId, change: Change): Promise<boolean>
  /**
   * Deletes a client, its config, secrets, audiences and identities, if its version is still
   * `version`. The id stays reserved, and its tokens are inactive.
   */
  delete(clientId: ClientId, version: number, change: Change): Promise<boolean>
  /**
   * Takes the client's row until the end of the transaction, so that others who
   * take it wait; on a cluster, whose row locks are local to a node, the loser
   * is rolled back. Changes nothing that a caller can see. `false`: there is no
   * such client.
   */
  lock(clientId: ClientId): Promise<boolean>
}

export interface ClientSecretReads {
  /** All secrets of a client, newest first, expired ones too, but none whose maker is gone. */
  ofClient(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The secrets of a client whose maker is gone, or that go back to such a one; they prove nobody. */
  orphansOf(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The peppers that secrets were hashed under, those of orphans too. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

/** What a secret is stored as when it was hashed here. */
export type RehashedSecret = Pick<ClientSecret, 'secretId' | 'keyId' | 'hash'>

export interface ClientSecretStore extends ClientSecretReads {
  insert(secret: ClientSecret): Promise<void>
  /** Lets all of a client's secrets end at `at` that would end later or never. */
  expireAll(clientId: ClientId, at: EpochMs): Promise<void>
  /** Removes a secret. Of any number of concurrent calls, exactly one returns `true`. */
  delete(clientId: ClientId, secretId: SecretId): Promise<boolean>
  /**
   * Replaces the hash that another server made. Of any number of concurrent calls, exactly one returns `true`; none
   * does where it is another one, or was replaced.
   */
  rehash(secret: RehashedSecret, importedHash: string): Promise<boolean>
  /** Lets what one secret made count as made by another. */
  adopt(clientId: ClientId, from: SecretId, by: SecretId | null): Promise<void>
  /** Notes a use, unless a later one is noted already. */
  markUsed(secretId: SecretId, at: EpochMs): Promise<void>
}

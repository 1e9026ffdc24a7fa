import type { ClientSecret } from '../../domain/client-secret.ts'
import type { ClientId, EpochMs, KeyId, SecretId } from '../../domain/ids.ts'
import type { StoreContext } from './context.ts'

export interface ClientSecretReads {
  /** All secrets of a client, newest first, expired ones too. */
  ofClient(ctx: StoreContext, clientId: ClientId): Promise<readonly ClientSecret[]>
  /** The peppers that secrets were hashed under. */
  keyIds(ctx: StoreContext): Promise<readonly KeyId[]>
}

export interface ClientSecretStore extends ClientSecretReads {
  insert(secret: ClientSecret): Promise<void>
  /** Lets all of a client's secrets end at `at` that would end later or never. */
  expireAll(clientId: ClientId, at: EpochMs): Promise<void>
  /** Removes a secret. Of any number of concurrent calls, exactly one returns `true`. */
  delete(clientId: ClientId, secretId: SecretId): Promise<boolean>
  /** Notes a use, unless a later one is noted already. */
  markUsed(secretId: SecretId, at: EpochMs): Promise<void>
}

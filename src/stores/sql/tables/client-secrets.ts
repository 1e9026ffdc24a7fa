import type { Kysely, Selectable } from 'kysely'
import { type ClientSecret, orphansAmong, withoutOrphans } from '../../../domain/client.ts'
import {
  type ClientId,
  clientId,
  type EpochMs,
  epochMs,
  type KeyId,
  keyId,
  type SecretHash,
  type SecretId,
  secretId,
} from '../../../domain/ids.ts'
import type { ClientSecretReads, ClientSecretStore, RehashedSecret } from '../../contract/clients.ts'
import type { StoreContext } from '../../contract/context.ts'
import { hash32, integer, integerOrNull } from '../core/rows.ts'
import type { ClientSecretTable, Database } from '../core/schema.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

const SECRET_COLUMNS = [
  'secret_id',
  'client_id',
  'key_id',
  'secret_hash',
  'expires_at',
  'last_used_at',
  'made_by',
  'created_at',
  'created_by',
  'imported_hash',
] as const

type SecretRow = Pick<Selectable<ClientSecretTable>, (typeof SECRET_COLUMNS)[number]>

export class SqlClientSecretReads implements ClientSecretReads {
  readonly #lists: Kysely<Database>
  readonly #all: (ids: readonly ClientId[]) => Promise<ReadonlyMap<string, readonly ClientSecret[]>>
  readonly #ofClient: Finder<ClientId, readonly ClientSecret[]>

  constructor(source: ReadSource) {
    const { db } = source
    this.#lists = source.lists
    this.#all = loadBy(
      db,
      (ids) =>
        db
          .selectFrom('oauth_client_secrets')
          .select(SECRET_COLUMNS)
          .where('client_id', 'in', ids)
          .orderBy('client_id')
          .orderBy('created_at', 'desc')
          .orderBy('secret_id', 'desc')
          .compile(),
      (rows) => Map.groupBy(rows.map(secretOf), (secret) => secret.clientId),
    )
    this.#ofClient = source.finder<ClientId, readonly ClientSecret[]>({
      name: 'client_secrets',
      load: async (ids) => new Map([...(await this.#all(ids))].map(([id, those]) => [id, withoutOrphans(those)])),
      nameOf: String,
      absent: [],
    })
  }

  ofClient({ span }: StoreContext, id: ClientId): Promise<readonly ClientSecret[]> {
    return this.#ofClient.find(id, span)
  }

  async orphansOf(_ctx: StoreContext, id: ClientId): Promise<readonly ClientSecret[]> {
    return orphansAmong((await this.#all([id])).get(id) ?? [])
  }

  async keyIds(): Promise<readonly KeyId[]> {
    const rows = await this.#lists
      .selectFrom('oauth_client_secrets')
      .select('key_id')
      .distinct()
      .orderBy('key_id')
      .execute()
    return rows.map((row) => keyId(row.key_id))
  }
}

export class SqlClientSecretStore extends SqlClientSecretReads implements ClientSecretStore {
  readonly #db: Kysely<Database>

  constructor(source: ReadSource) {
    super(source)
    this.#db = source.db
  }

  async insert(secret: ClientSecret): Promise<void> {
    await this.#db
      .insertInto('oauth_client_secrets')
      .values({
        secret_id: secret.secretId,
        client_id: secret.clientId,
        key_id: secret.keyId,
        secret_hash: secret.hash,
        expires_at: secret.expiresAt,
        last_used_at: secret.lastUsedAt,
        made_by: secret.madeBy,
        created_at: secret.createdAt,
        created_by: secret.createdBy,
        imported_hash: secret.importedHash,
      })
      .execute()
  }

  async expireAll(id: ClientId, at: EpochMs): Promise<void> {
    await this.#db
      .updateTable('oauth_client_secrets')
      .set({ expires_at: at })
      .where('client_id', '=', id)
      .where((or) => or.or([or('expires_at', 'is', null), or('expires_at', '>', at)]))
      .execute()
  }

  async delete(client: ClientId, secret: SecretId): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('oauth_client_secrets')
      .where('secret_id', '=', secret)
      .where('client_id', '=', client)
      .executeTakeFirst()
    return result.numDeletedRows === 1n
  }

  async rehash({ secretId, keyId, hash }: RehashedSecret, importedHash: string): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_client_secrets')
      .set({ key_id: keyId, secret_hash: hash, imported_hash: null })
      .where('secret_id', '=', secretId)
      .where('imported_hash', '=', importedHash)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async adopt(client: ClientId, from: SecretId, by: SecretId | null): Promise<void> {
    await this.#db
      .updateTable('oauth_client_secrets')
      .set({ made_by: by })
      .where('client_id', '=', client)
      .where('made_by', '=', from)
      .execute()
  }

  async markUsed(secret: SecretId, at: EpochMs): Promise<void> {
    await this.#db
      .updateTable('oauth_client_secrets')
      .set({ last_used_at: at })
      .where('secret_id', '=', secret)
      .where((or) => or.or([or('last_used_at', 'is', null), or('last_used_at', '<', at)]))
      .execute()
  }
}

function secretOf(row: SecretRow): ClientSecret {
  const expiresAt = integerOrNull(row.expires_at, 'expires_at')
  const lastUsedAt = integerOrNull(row.last_used_at, 'last_used_at')
  return Object.freeze({
    secretId: secretId(row.secret_id),
    clientId: clientId(row.client_id),
    keyId: keyId(row.key_id),
    hash: hash32(row.secret_hash, 'secret_hash') as SecretHash,
    createdAt: epochMs(integer(row.created_at, 'created_at')),
    createdBy: row.created_by,
    importedHash: row.imported_hash,
    expiresAt: expiresAt === null ? null : epochMs(expiresAt),
    lastUsedAt: lastUsedAt === null ? null : epochMs(lastUsedAt),
    madeBy: row.made_by === null ? null : secretId(row.made_by),
  })
}

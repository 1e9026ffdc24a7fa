import type { Kysely, Selectable } from 'kysely'
import type { ClientSecret } from '../../../domain/client-secret.ts'
import { type ClientId, clientId, epochMs, keyId, type SecretHash, secretId } from '../../../domain/ids.ts'
import type { Span } from '../../../trace.ts'
import type { ClientSecretReads, ClientSecretStore } from '../../contract/client-secrets.ts'
import { hash32, integer, integerOrNull } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { ClientSecretTable, Database } from '../schema.ts'

const SECRET_COLUMNS = [
  'secret_id',
  'client_id',
  'key_id',
  'secret_hash',
  'expires_at',
  'last_used_at',
  'created_at',
  'created_by',
] as const

type SecretRow = Pick<Selectable<ClientSecretTable>, (typeof SECRET_COLUMNS)[number]>

/** Looks up the secrets of clients, each client's newest first. */
export function findSecrets(
  db: Kysely<Database>,
): (clients: readonly ClientId[]) => Promise<ReadonlyMap<string, readonly ClientSecret[]>> {
  const query = new KeyedQuery<ClientId, SecretRow>((ids) =>
    db
      .selectFrom('oauth_client_secrets')
      .select(SECRET_COLUMNS)
      .where('client_id', 'in', ids)
      .orderBy('client_id')
      .orderBy('created_at', 'desc')
      .orderBy('secret_id', 'desc')
      .compile(),
  )
  return async (ids) => {
    const { rows } = await db.executeQuery(query.for(ids))
    return Map.groupBy(rows.map(secretOf), (secret) => secret.clientId)
  }
}

export function clientSecretReads(
  db: Kysely<Database>,
  ofClient: (clientId: ClientId, span?: Span) => Promise<readonly ClientSecret[]>,
): ClientSecretReads {
  return {
    ofClient: ({ span }, id) => ofClient(id, span),
    keyIds: async () => {
      const rows = await db.selectFrom('oauth_client_secrets').select('key_id').distinct().orderBy('key_id').execute()
      return rows.map((row) => keyId(row.key_id))
    },
  }
}

export function clientSecretWrites(db: Kysely<Database>): Omit<ClientSecretStore, keyof ClientSecretReads> {
  return {
    insert: async (secret) => {
      await db
        .insertInto('oauth_client_secrets')
        .values({
          secret_id: secret.secretId,
          client_id: secret.clientId,
          key_id: secret.keyId,
          secret_hash: secret.hash,
          expires_at: secret.expiresAt,
          last_used_at: secret.lastUsedAt,
          created_at: secret.createdAt,
          created_by: secret.createdBy,
        })
        .execute()
    },
    expireAll: async (id, at) => {
      await db
        .updateTable('oauth_client_secrets')
        .set({ expires_at: at })
        .where('client_id', '=', id)
        .where((or) => or.or([or('expires_at', 'is', null), or('expires_at', '>', at)]))
        .execute()
    },
    delete: async (client, secret) => {
      const result = await db
        .deleteFrom('oauth_client_secrets')
        .where('secret_id', '=', secret)
        .where('client_id', '=', client)
        .executeTakeFirst()
      return result.numDeletedRows === 1n
    },
    markUsed: async (secret, at) => {
      await db
        .updateTable('oauth_client_secrets')
        .set({ last_used_at: at })
        .where('secret_id', '=', secret)
        .where((or) => or.or([or('last_used_at', 'is', null), or('last_used_at', '<', at)]))
        .execute()
    },
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
    expiresAt: expiresAt === null ? null : epochMs(expiresAt),
    lastUsedAt: lastUsedAt === null ? null : epochMs(lastUsedAt),
  })
}

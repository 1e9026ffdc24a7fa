import type { Insertable, Kysely } from 'kysely'
import type { SigningKey } from '../../../domain/signing-key.ts'
import type { SigningKeyReads, SigningKeyStore } from '../../contract/signing-keys.ts'
import { falseIfTaken } from '../core/database-error.ts'
import type { Database } from '../schema.ts'
import type { SigningKeyTable } from '../signing-key-schema.ts'

/** The row that whoever adds a key holds; as a lease it has run out, and nobody takes it. */
const LOCK = 'signing-keys'

/** What a key loses when it signs no more. */
const SIGNS_NO_MORE = { private_key: null, encryption_key_id: null, active_algorithm: null } as const

export function signingKeyWrites(db: Kysely<Database>): Omit<SigningKeyStore, keyof SigningKeyReads> {
  return {
    lock: async ({ at, by }) => {
      const noted = { updated_at: at, updated_by: by }
      const result = await db.updateTable('oauth_leases').set(noted).where('name', '=', LOCK).executeTakeFirst()
      if (result.numUpdatedRows === 1n) return true
      return await falseIfTaken(async () => {
        await db
          .insertInto('oauth_leases')
          .values({ name: LOCK, holder: by, expires_at: at, created_at: at, created_by: by, ...noted })
          .execute()
      })
    },
    insert: (key) =>
      falseIfTaken(async () => {
        await db.insertInto('oauth_signing_keys').values(signingKeyRow(key)).execute()
      }),
    activate: async (id, { at, by }) => {
      let activated = false
      const alone = await falseIfTaken(async () => {
        const result = await db
          .updateTable('oauth_signing_keys')
          .set((row) => ({
            state: 'active',
            active_algorithm: row.ref('algorithm'),
            activated_at: at,
            updated_at: at,
            updated_by: by,
          }))
          .where('key_id', '=', id)
          .where('state', '=', 'prepared')
          .executeTakeFirst()
        activated = result.numUpdatedRows === 1n
      })
      return alone && activated
    },
    coverLifetime: async (id, lifetime, { at, by }) => {
      const result = await db
        .updateTable('oauth_signing_keys')
        .set({ longest_lifetime: lifetime, updated_at: at, updated_by: by })
        .where('key_id', '=', id)
        .where('state', '=', 'active')
        .where('longest_lifetime', '<', lifetime)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    retire: async ({ keyId, state, longestLifetime }, tokensUntil, { at, by }) => {
      const result = await db
        .updateTable('oauth_signing_keys')
        .set({
          ...SIGNS_NO_MORE,
          state: 'retired',
          retired_at: at,
          tokens_until: tokensUntil,
          updated_at: at,
          updated_by: by,
        })
        .where('key_id', '=', keyId)
        .where('state', '=', state)
        .where('state', 'in', ['prepared', 'active'])
        .where('longest_lifetime', '=', longestLifetime)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
    revoke: async (id, reason, { at, by }) => {
      const result = await db
        .updateTable('oauth_signing_keys')
        .set({
          ...SIGNS_NO_MORE,
          state: 'revoked',
          revoked_at: at,
          revocation_reason: reason,
          updated_at: at,
          updated_by: by,
        })
        .where('key_id', '=', id)
        .where('state', '<>', 'revoked')
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
  }
}

function signingKeyRow(key: SigningKey): Insertable<SigningKeyTable> {
  return {
    key_id: key.keyId,
    algorithm: key.algorithm,
    public_jwk: JSON.stringify(key.publicJwk),
    private_key: key.privateKey?.sealed ?? null,
    encryption_key_id: key.privateKey?.keyId ?? null,
    state: key.state,
    active_algorithm: key.state === 'active' ? key.algorithm : null,
    longest_lifetime: key.longestLifetime,
    prepared_at: key.preparedAt,
    activated_at: key.activatedAt,
    retired_at: key.retiredAt,
    revoked_at: key.revokedAt,
    revocation_reason: null,
    tokens_until: key.tokensUntil,
    ray_id: key.rayId,
    created_at: key.preparedAt,
    created_by: key.preparedBy,
    updated_at: null,
    updated_by: null,
  }
}

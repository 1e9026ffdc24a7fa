import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The token family: a user's consent with its codes and refresh tokens. */
export function grants(types: ColumnTypes): Migration {
  const { bytes, epochMs, hash, integer, text } = types
  const actor = types.identifier(191)
  const clientId = types.identifier(128)
  const id = types.identifier(36)
  const rayId = types.identifier(128)

  async function createGrants(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_grants'))
      .addColumn('grant_id', id, (column) => column.notNull().primaryKey())
      .addColumn('client_id', clientId, (column) => column.notNull())
      .addColumn('user_id', id, (column) => column.notNull())
      .addColumn('scopes', text, (column) => column.notNull())
      .addColumn('audiences', text, (column) => column.notNull())
      .addColumn('client_generation', integer, (column) => column.notNull())
      .addColumn('user_generation', integer, (column) => column.notNull())
      .addColumn('expires_at', epochMs, (column) => column.notNull())
      .addColumn('tokens_until', epochMs, (column) => column.notNull())
      .addColumn('revoked_at', epochMs)
      .addColumn('revocation_reason', types.identifier(191))
      .addColumn('lock_version', epochMs, (column) => column.notNull())
      .addColumn('ray_id', rayId, (column) => column.notNull())
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addColumn('updated_at', epochMs)
      .addColumn('updated_by', actor)
      .addForeignKeyConstraint('oauth_grants_client', ['client_id'], 'oauth_clients', ['client_id'])
      .addForeignKeyConstraint('oauth_grants_user', ['user_id'], 'oauth_users', ['user_id'])
      .execute()
    const index = (name: string) => db.schema.createIndex(`oauth_grants_${name}`).on('oauth_grants')
    await index('by_client').columns(['client_id']).execute()
    await index('by_user').columns(['user_id']).execute()
    await index('by_end').columns(['tokens_until']).execute()
  }

  async function createCodes(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_authorization_codes'))
      .addColumn('code_id', id, (column) => column.notNull().primaryKey())
      .addColumn('code_hash', hash, (column) => column.notNull())
      .addColumn('grant_id', id, (column) => column.notNull())
      .addColumn('redirect_uri', text, (column) => column.notNull())
      .addColumn('code_challenge', types.identifier(128))
      .addColumn('expires_at', epochMs, (column) => column.notNull())
      .addColumn('consumed_at', epochMs)
      .addColumn('ray_id', rayId, (column) => column.notNull())
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addColumn('updated_at', epochMs)
      .addColumn('updated_by', actor)
      .addForeignKeyConstraint('oauth_authorization_codes_grant', ['grant_id'], 'oauth_grants', ['grant_id'])
      .execute()
    const index = (name: string) =>
      db.schema.createIndex(`oauth_authorization_codes_${name}`).on('oauth_authorization_codes')
    await index('by_hash').unique().columns(['code_hash']).execute()
    await index('by_grant').columns(['grant_id']).execute()
  }

  async function createRefreshTokens(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_refresh_tokens'))
      .addColumn('token_id', id, (column) => column.notNull().primaryKey())
      .addColumn('token_hash', hash, (column) => column.notNull())
      .addColumn('grant_id', id, (column) => column.notNull())
      .addColumn('client_id', clientId, (column) => column.notNull())
      .addColumn('user_id', id, (column) => column.notNull())
      .addColumn('predecessor_id', id)
      .addColumn('issued_at', epochMs, (column) => column.notNull())
      .addColumn('expires_at', epochMs, (column) => column.notNull())
      .addColumn('consumed_at', epochMs)
      .addColumn('successor_id', id)
      .addColumn('replay_answer', bytes)
      .addColumn('replay_until', epochMs)
      .addColumn('ray_id', rayId, (column) => column.notNull())
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addColumn('updated_at', epochMs)
      .addColumn('updated_by', actor)
      // The grant's own foreign keys cover the client and the user.
      .addForeignKeyConstraint('oauth_refresh_tokens_grant', ['grant_id'], 'oauth_grants', ['grant_id'])
      .execute()
    const index = (name: string) => db.schema.createIndex(`oauth_refresh_tokens_${name}`).on('oauth_refresh_tokens')
    await index('by_hash').unique().columns(['token_hash']).execute()
    await index('by_grant').columns(['grant_id']).execute()
    await index('by_client').columns(['client_id', 'token_id']).execute()
    await index('by_user').columns(['user_id', 'token_id']).execute()
    // Limits are counted without scanning spent tokens.
    await index('by_spending').columns(['client_id', 'consumed_at', 'user_id']).execute()
    await types.ofPresent(index('by_replay').columns(['replay_until']), 'replay_until').execute()
  }

  return {
    up: async (db: Kysely<unknown>) => {
      await createGrants(db)
      await createCodes(db)
      await createRefreshTokens(db)
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_refresh_tokens').execute()
      await db.schema.dropTable('oauth_authorization_codes').execute()
      await db.schema.dropTable('oauth_grants').execute()
    },
  }
}

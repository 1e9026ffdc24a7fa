import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** Registered clients with their settings, secrets and audiences. */
export function clients(types: ColumnTypes): Migration {
  const { epochMs, flag, hash, integer, text } = types
  const actor = types.identifier(191)
  const clientId = types.identifier(128)

  async function createClients(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_clients'))
      .addColumn('client_id', clientId, (column) => column.notNull().primaryKey())
      .addColumn('display_name', text, (column) => column.notNull())
      .addColumn('type', types.identifier(32), (column) => column.notNull())
      .addColumn('authentication_method', types.identifier(32), (column) => column.notNull())
      .addColumn('jwks', text)
      .addColumn('tls_client_subject', types.identifier(512))
      .addColumn('grant_types', text, (column) => column.notNull())
      .addColumn('redirect_uris', text, (column) => column.notNull())
      .addColumn('scopes', text, (column) => column.notNull())
      .addColumn('audiences', text, (column) => column.notNull())
      .addColumn('enabled', flag, (column) => column.notNull())
      .addColumn('version', integer, (column) => column.notNull())
      .addColumn('token_generation', integer, (column) => column.notNull())
      .addColumn('lock_version', epochMs, (column) => column.notNull())
      .addColumn('deleted_at', epochMs)
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addColumn('updated_at', epochMs, (column) => column.notNull())
      .addColumn('updated_by', actor, (column) => column.notNull())
      .execute()
  }

  async function createConfigs(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_client_configs'))
      .addColumn('client_id', clientId, (column) => column.notNull().primaryKey())
      .addColumn('access_token_ttl', epochMs, (column) => column.notNull())
      .addColumn('refresh_token_ttl', epochMs, (column) => column.notNull())
      .addColumn('refresh_token_max_lifetime', epochMs, (column) => column.notNull())
      .addColumn('authorization_code_ttl', epochMs, (column) => column.notNull())
      .addColumn('device_code_ttl', epochMs, (column) => column.notNull())
      .addColumn('device_poll_interval', epochMs, (column) => column.notNull())
      .addColumn('require_pkce', flag, (column) => column.notNull())
      .addColumn('access_token_format', types.identifier(32), (column) => column.notNull())
      .addColumn('max_active_refresh_tokens', integer)
      .addColumn('max_active_refresh_tokens_per_user', integer)
      .addColumn('max_active_access_tokens', integer)
      .addColumn('refresh_token_replay_window', epochMs, (column) => column.notNull())
      .addColumn('allow_impersonation', flag, (column) => column.notNull())
      .addColumn('metadata', text, (column) => column.notNull())
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addColumn('updated_at', epochMs, (column) => column.notNull())
      .addColumn('updated_by', actor, (column) => column.notNull())
      .addForeignKeyConstraint('oauth_client_configs_client', ['client_id'], 'oauth_clients', ['client_id'])
      .execute()
  }

  async function createAudiences(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_client_resource_audiences'))
      .addColumn('audience', types.identifier(255), (column) => column.notNull().primaryKey())
      .addColumn('client_id', clientId, (column) => column.notNull())
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addForeignKeyConstraint('oauth_client_resource_audiences_client', ['client_id'], 'oauth_clients', ['client_id'])
      .execute()
    await db.schema
      .createIndex('oauth_client_resource_audiences_by_client')
      .on('oauth_client_resource_audiences')
      .columns(['client_id'])
      .execute()
  }

  async function createSecrets(db: Kysely<unknown>) {
    await types
      .table(db.schema.createTable('oauth_client_secrets'))
      .addColumn('secret_id', types.identifier(36), (column) => column.notNull().primaryKey())
      .addColumn('client_id', clientId, (column) => column.notNull())
      .addColumn('key_id', types.identifier(64), (column) => column.notNull())
      .addColumn('secret_hash', hash, (column) => column.notNull())
      .addColumn('expires_at', epochMs)
      .addColumn('last_used_at', epochMs)
      .addColumn('created_at', epochMs, (column) => column.notNull())
      .addColumn('created_by', actor, (column) => column.notNull())
      .addForeignKeyConstraint('oauth_client_secrets_client', ['client_id'], 'oauth_clients', ['client_id'])
      .execute()
    await db.schema
      .createIndex('oauth_client_secrets_by_client')
      .on('oauth_client_secrets')
      .columns(['client_id'])
      .execute()
  }

  return {
    up: async (db: Kysely<unknown>) => {
      await createClients(db)
      await createConfigs(db)
      await createAudiences(db)
      await createSecrets(db)
    },
    down: async (db: Kysely<unknown>) => {
      await db.schema.dropTable('oauth_client_secrets').execute()
      await db.schema.dropTable('oauth_client_resource_audiences').execute()
      await db.schema.dropTable('oauth_client_configs').execute()
      await db.schema.dropTable('oauth_clients').execute()
    },
  }
}

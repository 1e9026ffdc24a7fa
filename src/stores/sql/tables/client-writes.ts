import { type Kysely, sql, type UpdateObject } from 'kysely'
import type { ClientRegistration } from '../../../domain/client.ts'
import type { ClientId } from '../../../domain/ids.ts'
import type { ClientReads, ClientStore } from '../../contract/clients.ts'
import type { Change } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { asFlag } from '../core/rows.ts'
import type { Database } from '../schema.ts'
import { deleteConfig, insertConfig, updateConfig } from './client-configs.ts'

type ClientWrites = Omit<ClientStore, keyof ClientReads>

/** Changes to clients; the client's row is always taken first, so that two changes cannot lock each other out. */
export function clientWrites(db: Kysely<Database>): ClientWrites {
  /** The guarded update that decides who changes a client. */
  async function change(clientId: ClientId, guard: number | null, set: ClientColumns, { at, by }: Change) {
    const result = await db
      .updateTable('oauth_clients')
      .set({ ...set, updated_at: at, updated_by: by, version: sql<number>`version + 1` })
      .where('client_id', '=', clientId)
      .where('deleted_at', 'is', null)
      .$if(guard !== null, (query) => query.where('version', '=', guard ?? 0))
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  return {
    insert: (client, { at, by }) =>
      falseIfTaken(async () => {
        await db
          .insertInto('oauth_clients')
          .values({
            client_id: client.clientId,
            ...registrationRow(client),
            type: client.type,
            enabled: 1,
            version: 1,
            token_generation: 1,
            lock_version: 0,
            deleted_at: null,
            created_at: at,
            created_by: by,
            updated_at: at,
            updated_by: by,
          })
          .execute()
        await insertConfig(db, client.clientId, client.config, { at, by })
        await insertAudiences(db, client.clientId, [client.clientId, ...client.resourceAudiences], { at, by })
      }),
    update: async (client, version, by) => {
      if (!(await change(client.clientId, version, registrationRow(client), by))) return false
      await updateConfig(db, client.clientId, client.config, by)
      return await falseIfTaken(() => replaceAudiences(db, client, by))
    },
    setEnabled: (clientId, enabled, version, by) => change(clientId, version, { enabled: asFlag(enabled) }, by),
    startTokenGeneration: (clientId, by) =>
      change(clientId, null, { token_generation: sql<number>`token_generation + 1` }, by),
    delete: async (clientId, version, by) => {
      const deleted = await change(clientId, version, { ...BLANK, enabled: 0, deleted_at: by.at }, by)
      if (!deleted) return false
      await deleteConfig(db, clientId)
      await db.deleteFrom('oauth_client_secrets').where('client_id', '=', clientId).execute()
      return true
    },
    lock: async (clientId) => {
      const result = await db
        .updateTable('oauth_clients')
        .set({ lock_version: sql<number>`lock_version + 1` })
        .where('client_id', '=', clientId)
        .where('deleted_at', 'is', null)
        .executeTakeFirst()
      return result.numUpdatedRows === 1n
    },
  }
}

/** What an update may set, counters by what they were. */
type ClientColumns = UpdateObject<Database, 'oauth_clients', 'oauth_clients'>

/** What is left of a deleted client besides its id: nothing that says whose it was. */
const BLANK = Object.freeze({
  display_name: '',
  jwks: null,
  tls_client_subject: null,
  grant_types: '[]',
  redirect_uris: '[]',
  scopes: '',
  audiences: '[]',
})

function registrationRow(client: ClientRegistration) {
  return {
    display_name: client.displayName,
    authentication_method: client.authenticationMethod,
    jwks: client.jwks,
    tls_client_subject: client.tlsClientSubject,
    grant_types: JSON.stringify(client.grantTypes),
    redirect_uris: JSON.stringify(client.redirectUris),
    scopes: client.scopes.join(' '),
    audiences: JSON.stringify(client.audiences),
  }
}

async function insertAudiences(
  db: Kysely<Database>,
  clientId: ClientId,
  audiences: readonly string[],
  { at, by }: Change,
): Promise<void> {
  // In one order for everyone, so that two registrations cannot wait for each other.
  const names = [...new Set(audiences)].sort()
  if (names.length === 0) return
  await takeOver(db, names)
  await db
    .insertInto('oauth_client_resource_audiences')
    .values(names.map((audience) => ({ audience, client_id: clientId, created_at: at, created_by: by })))
    .execute()
}

/** What a deleted client answered for is there for the next; until then it is known that nobody does. */
async function takeOver(db: Kysely<Database>, audiences: readonly string[]): Promise<void> {
  const left = await db
    .selectFrom('oauth_client_resource_audiences as owned')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'owned.client_id')
    .select(['owned.audience', 'owned.client_id'])
    .where('owned.audience', 'in', audiences)
    .where('oauth_clients.deleted_at', 'is not', null)
    .whereRef('owned.audience', '<>', 'owned.client_id')
    .orderBy('owned.audience')
    .execute()
  for (const { audience, client_id: owner } of left) {
    await db
      .deleteFrom('oauth_client_resource_audiences')
      .where('audience', '=', audience)
      .where('client_id', '=', owner)
      .execute()
  }
}

async function replaceAudiences(db: Kysely<Database>, client: ClientRegistration, change: Change): Promise<void> {
  const rows = await db
    .selectFrom('oauth_client_resource_audiences')
    .select('audience')
    .where('client_id', '=', client.clientId)
    .execute()
  const held = new Set(rows.map((row) => row.audience))
  const wanted = new Set([client.clientId, ...client.resourceAudiences])
  const dropped = [...held.difference(wanted)]
  if (dropped.length > 0) {
    await db
      .deleteFrom('oauth_client_resource_audiences')
      .where('client_id', '=', client.clientId)
      .where('audience', 'in', dropped)
      .execute()
  }
  await insertAudiences(db, client.clientId, [...wanted.difference(held)], change)
}

import { type Kysely, sql } from 'kysely'
import type { ClientRegistration } from '../../../domain/client.ts'
import { type ClientId, clientId } from '../../../domain/ids.ts'
import type { Change } from '../../contract/context.ts'
import type { Database } from '../core/schema.ts'

/** The owner of each audience. A deleted client keeps its own id. */
export async function audienceOwners(
  db: Kysely<Database>,
  audiences: readonly string[],
): Promise<ReadonlyMap<string, ClientId>> {
  if (audiences.length === 0) return new Map()
  const rows = await db
    .selectFrom('oauth_client_resource_audiences as owned')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'owned.client_id')
    .select(['owned.audience', 'owned.client_id'])
    .where('owned.audience', 'in', audiences)
    .where((or) =>
      or.or([or('oauth_clients.deleted_at', 'is', null), or('owned.audience', '=', or.ref('owned.client_id'))]),
    )
    .execute()
  return new Map(rows.map((row) => [row.audience, clientId(row.client_id)]))
}

/** The audiences whose owner is disabled. A deleted client is disabled, too. */
export function closedAudiences(db: Kysely<Database>, audiences: readonly string[]) {
  return db
    .selectFrom('oauth_client_resource_audiences')
    .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_client_resource_audiences.client_id')
    .select('oauth_client_resource_audiences.audience')
    .where('oauth_client_resource_audiences.audience', 'in', audiences)
    .where('oauth_clients.enabled', '=', sql.lit(0))
}

export async function insertAudiences(
  db: Kysely<Database>,
  clientId: ClientId,
  audiences: readonly string[],
  { at, by }: Change,
): Promise<void> {
  // In the same order for all, so that two registrations cannot deadlock.
  const names = [...new Set(audiences)].sort()
  if (names.length === 0) return
  await takeOver(db, names)
  await db
    .insertInto('oauth_client_resource_audiences')
    .values(names.map((audience) => ({ audience, client_id: clientId, created_at: at, created_by: by })))
    .execute()
}

/** The audiences of a deleted client can be taken over. Until then its row shows that they are closed. */
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

export async function replaceAudiences(
  db: Kysely<Database>,
  client: ClientRegistration,
  change: Change,
): Promise<void> {
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

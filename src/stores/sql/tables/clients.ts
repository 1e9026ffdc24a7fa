import { type Kysely, type Selectable, sql } from 'kysely'
import { AUTHENTICATION_METHODS, CLIENT_TYPES, type Client, GRANT_TYPES } from '../../../domain/client.ts'
import { type ClientId, clientId, epochMs } from '../../../domain/ids.ts'
import type { Span } from '../../../trace.ts'
import type { ClientFilter, ClientReads } from '../../contract/clients.ts'
import type { PageRequest } from '../../contract/context.ts'
import { asFlag, flag, integer, oneOf, stringList, words } from '../core/rows.ts'
import { KeyedQuery } from '../core/sized-statements.ts'
import type { ClientConfigTable, ClientTable, Database } from '../schema.ts'
import { CONFIG_COLUMNS, configOf } from './client-configs.ts'

/** Sorts after every text that begins with the same. */
const LAST_CHARACTER = '\u{10ffff}'

const CLIENT_COLUMNS = [
  'oauth_clients.client_id',
  'oauth_clients.display_name',
  'oauth_clients.type',
  'oauth_clients.authentication_method',
  'oauth_clients.jwks',
  'oauth_clients.tls_client_subject',
  'oauth_clients.grant_types',
  'oauth_clients.redirect_uris',
  'oauth_clients.scopes',
  'oauth_clients.audiences',
  'oauth_clients.enabled',
  'oauth_clients.version',
  'oauth_clients.token_generation',
  'oauth_clients.created_at',
  'oauth_clients.created_by',
  'oauth_clients.updated_at',
  'oauth_clients.updated_by',
] as const

type ClientRow = Selectable<Omit<ClientTable, 'lock_version' | 'deleted_at'>> &
  Omit<Selectable<ClientConfigTable>, 'client_id' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'> & {
    /** One row for each name the client answers for, its own id among them. */
    readonly resource_audience: string
  }

/** Looks clients up, each with its config and audiences, in one statement: no half of a change is ever seen. */
export function findClients(db: Kysely<Database>): (ids: readonly ClientId[]) => Promise<ReadonlyMap<string, Client>> {
  const query = new KeyedQuery<ClientId, ClientRow>((ids) =>
    clientRows(db).where('oauth_clients.client_id', 'in', ids).where('oauth_clients.deleted_at', 'is', null).compile(),
  )
  return async (ids) => clientsOf((await db.executeQuery(query.for(ids))).rows)
}

/** Which of some audiences nobody answers for any more; a deleted client is disabled too. */
export function findClosedAudiences(
  db: Kysely<Database>,
): (audiences: readonly string[]) => Promise<ReadonlyMap<string, boolean>> {
  const query = new KeyedQuery<string, { readonly audience: string }>((audiences) =>
    db
      .selectFrom('oauth_client_resource_audiences')
      .innerJoin('oauth_clients', 'oauth_clients.client_id', 'oauth_client_resource_audiences.client_id')
      .select('oauth_client_resource_audiences.audience')
      .where('oauth_client_resource_audiences.audience', 'in', audiences)
      .where('oauth_clients.enabled', '=', sql.lit(0))
      .compile(),
  )
  return async (audiences) =>
    new Map((await db.executeQuery(query.for(audiences))).rows.map(({ audience }) => [audience, true]))
}

export function clientReads(
  db: Kysely<Database>,
  findOne: (clientId: ClientId, span?: Span) => Promise<Client | null>,
  isAudienceClosed: (audience: string, span?: Span) => Promise<boolean>,
): ClientReads {
  return {
    find: ({ span }, id) => findOne(id, span),
    isAudienceClosed: ({ span }, audience) => isAudienceClosed(audience, span),
    isReserved: async (_ctx, id) => {
      const row = await db
        .selectFrom('oauth_clients')
        .select('client_id')
        .where('client_id', '=', id)
        .executeTakeFirst()
      return row !== undefined
    },
    audienceOwners: async (_ctx, audiences) => {
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
    },
    page: async (_ctx, filter, page) => {
      const rows = await pageQuery(db, filter, page).execute()
      return [...clientsOf(rows).values()]
    },
  }
}

function clientRows(db: Kysely<Database>) {
  return db
    .selectFrom('oauth_clients')
    .innerJoin('oauth_client_configs', 'oauth_client_configs.client_id', 'oauth_clients.client_id')
    .innerJoin(
      'oauth_client_resource_audiences',
      'oauth_client_resource_audiences.client_id',
      'oauth_clients.client_id',
    )
    .select([...CLIENT_COLUMNS, ...CONFIG_COLUMNS, 'oauth_client_resource_audiences.audience as resource_audience'])
    .orderBy('oauth_clients.client_id')
    .orderBy('oauth_client_resource_audiences.audience')
}

/** The page's ids in a derived table: a limit on the joined rows would count audiences. */
function pageQuery(db: Kysely<Database>, filter: ClientFilter, { after, limit }: PageRequest<ClientId>) {
  const { enabled, type, idPrefix } = filter
  const ids = db
    .selectFrom('oauth_clients as listed')
    .select('listed.client_id as listed_id')
    .where('listed.deleted_at', 'is', null)
    .$if(after !== null, (query) => query.where('listed.client_id', '>', after ?? ''))
    .$if(enabled !== null, (query) => query.where('listed.enabled', '=', asFlag(enabled ?? false)))
    .$if(type !== null, (query) => query.where('listed.type', '=', type ?? ''))
    .$if(idPrefix !== null && idPrefix !== '', (query) =>
      query
        .where('listed.client_id', '>=', idPrefix ?? '')
        .where('listed.client_id', '<', `${idPrefix ?? ''}${LAST_CHARACTER}`),
    )
    .orderBy('listed.client_id')
    .limit(sql.lit(limit))
  return clientRows(db).innerJoin(ids.as('page'), 'page.listed_id', 'oauth_clients.client_id')
}

/** Rows of one client follow each other. */
function clientsOf(rows: readonly ClientRow[]): ReadonlyMap<string, Client> {
  const audiences = new Map<string, string[]>()
  for (const { client_id, resource_audience } of rows) {
    const known = audiences.get(client_id)
    if (known === undefined) audiences.set(client_id, [resource_audience])
    else known.push(resource_audience)
  }
  const clients = new Map<string, Client>()
  for (const row of rows) {
    if (clients.has(row.client_id)) continue
    const others = audiences.get(row.client_id)?.filter((audience) => audience !== row.client_id) ?? []
    clients.set(row.client_id, clientOf(row, others))
  }
  return clients
}

function clientOf(row: ClientRow, resourceAudiences: readonly string[]): Client {
  return Object.freeze({
    clientId: clientId(row.client_id),
    displayName: row.display_name,
    type: oneOf(row.type, CLIENT_TYPES, 'type'),
    authenticationMethod: oneOf(row.authentication_method, AUTHENTICATION_METHODS, 'authentication_method'),
    jwks: row.jwks,
    tlsClientSubject: row.tls_client_subject,
    grantTypes: Object.freeze(
      stringList(row.grant_types, 'grant_types').map((grant) => oneOf(grant, GRANT_TYPES, 'grant_types')),
    ),
    redirectUris: stringList(row.redirect_uris, 'redirect_uris'),
    scopes: words(row.scopes),
    audiences: stringList(row.audiences, 'audiences'),
    resourceAudiences: Object.freeze(resourceAudiences),
    config: configOf(row),
    enabled: flag(row.enabled, 'enabled'),
    version: integer(row.version, 'version'),
    tokenGeneration: integer(row.token_generation, 'token_generation'),
    createdAt: epochMs(integer(row.created_at, 'created_at')),
    createdBy: row.created_by,
    updatedAt: epochMs(integer(row.updated_at, 'updated_at')),
    updatedBy: row.updated_by,
  })
}

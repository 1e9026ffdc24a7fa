import { type Kysely, type Selectable, sql, type UpdateObject } from 'kysely'
import {
  AUTHENTICATION_METHODS,
  CLIENT_TYPES,
  type Client,
  type ClientRegistration,
  GRANT_TYPES,
} from '../../../domain/client.ts'
import type { FederatedIdentity } from '../../../domain/federated-identity.ts'
import { type ClientId, clientId, epochMs } from '../../../domain/ids.ts'
import type { ClientFilter, ClientReads, ClientStore } from '../../contract/clients.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { asFlag, flag, integer, oneOf, stringList, words } from '../core/rows.ts'
import type { ClientConfigTable, ClientTable, Database } from '../core/schema.ts'
import { audienceOwners, closedAudiences, insertAudiences, replaceAudiences } from './client-audiences.ts'
import { CONFIG_COLUMNS, configOf, deleteConfig, insertConfig, updateConfig } from './client-configs.ts'
import {
  deleteIdentities,
  identitiesOf,
  identitiesText,
  identityOwners,
  insertIdentities,
  replaceIdentities,
  scopesProvedBy,
} from './federated-identities.ts'
import type { LastRowsCollector } from './last-rows.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

/** Sorts after every text with the same beginning. */
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
  'oauth_clients.owner',
  'oauth_clients.jwks_uri',
  'oauth_clients.federated_identities',
] as const

type ClientRow = Selectable<Omit<ClientTable, 'lock_version' | 'deleted_at'>> &
  Omit<Selectable<ClientConfigTable>, 'client_id' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'> & {
    /** One row for each audience of the client, including its own id. */
    readonly resource_audience: string
  }

/** Each client is read with its config and audiences in one statement, so that a read never sees a partial change. */
export class SqlClientReads implements ClientReads {
  readonly #db: Kysely<Database>
  readonly #lists: Kysely<Database>
  readonly #byId: Finder<ClientId, Client | null>
  readonly #closedAudiences: Finder<string, boolean>

  constructor(source: ReadSource) {
    const { db, lists } = source
    this.#db = db
    this.#lists = lists
    this.#byId = source.finder({
      name: 'clients',
      load: loadBy(
        db,
        (ids) =>
          clientRows(db)
            .where('oauth_clients.client_id', 'in', ids)
            .where('oauth_clients.deleted_at', 'is', null)
            .compile(),
        clientsOf,
      ),
      nameOf: String,
      absent: null,
    })
    this.#closedAudiences = source.finder({
      name: 'closed_audiences',
      load: loadBy(
        db,
        (audiences) => closedAudiences(db, audiences).compile(),
        (rows) => new Map(rows.map(({ audience }) => [audience, true])),
      ),
      nameOf: String,
      absent: false,
    })
  }

  find({ span }: StoreContext, id: ClientId): Promise<Client | null> {
    return this.#byId.find(id, span)
  }

  isAudienceClosed({ span }: StoreContext, audience: string): Promise<boolean> {
    return this.#closedAudiences.find(audience, span)
  }

  async isReserved(_ctx: StoreContext, id: ClientId): Promise<boolean> {
    const row = await this.#db
      .selectFrom('oauth_clients')
      .select('client_id')
      .where('client_id', '=', id)
      .executeTakeFirst()
    return row !== undefined
  }

  async audienceOwners(_ctx: StoreContext, audiences: readonly string[]): Promise<ReadonlyMap<string, ClientId>> {
    return await audienceOwners(this.#db, audiences)
  }

  async identityOwners(
    _ctx: StoreContext,
    identities: readonly Pick<FederatedIdentity, 'issuer' | 'subject'>[],
  ): Promise<readonly (ClientId | null)[]> {
    return await identityOwners(this.#db, identities)
  }

  async scopesProvedBy(_ctx: StoreContext, issuer: string): Promise<readonly string[]> {
    return await scopesProvedBy(this.#db, issuer)
  }

  async page(_ctx: StoreContext, filter: ClientFilter, page: PageRequest<ClientId>): Promise<readonly Client[]> {
    return [...clientsOf(await pageQuery(this.#lists, filter, page).execute()).values()]
  }
}

/** Changes lock the client's row first, so that two of them cannot deadlock. */
export class SqlClientStore extends SqlClientReads implements ClientStore {
  readonly #db: Kysely<Database>
  readonly #last: LastRowsCollector

  constructor(source: ReadSource, last: LastRowsCollector) {
    super(source)
    this.#db = source.db
    this.#last = last
  }

  async insert(client: ClientRegistration, { at, by }: Change): Promise<boolean> {
    return await falseIfTaken(async () => {
      await this.#db
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
      await insertConfig(this.#db, client.clientId, client.config, { at, by })
      const audiences = [client.clientId, ...client.resourceAudiences]
      await insertAudiences(this.#db, client.clientId, audiences, { at, by })
      await insertIdentities(this.#db, client.clientId, client.federatedIdentities, { at, by })
    })
  }

  async update(client: ClientRegistration, version: number, change: Change): Promise<boolean> {
    if (!(await this.#change(client.clientId, version, registrationRow(client), change))) return false
    await updateConfig(this.#db, client.clientId, client.config, change)
    return await falseIfTaken(async () => {
      await replaceAudiences(this.#db, client, change)
      await replaceIdentities(this.#db, client.clientId, client.federatedIdentities, change)
    })
  }

  async setEnabled(clientId: ClientId, enabled: boolean, version: number, change: Change): Promise<boolean> {
    if (!(await this.#change(clientId, version, { enabled: asFlag(enabled) }, change))) return false
    if (!enabled) await this.#tellGeneration(clientId, 0)
    return true
  }

  async startTokenGeneration(clientId: ClientId, change: Change): Promise<boolean> {
    const next = { token_generation: sql<number>`token_generation + 1` }
    if (!(await this.#change(clientId, null, next, change))) return false
    await this.#tellGeneration(clientId, -1)
    return true
  }

  async delete(clientId: ClientId, version: number, change: Change): Promise<boolean> {
    const ended = { ...BLANK, enabled: 0, deleted_at: change.at }
    if (!(await this.#change(clientId, version, ended, change))) return false
    await deleteConfig(this.#db, clientId)
    await this.#db.deleteFrom('oauth_client_secrets').where('client_id', '=', clientId).execute()
    await deleteIdentities(this.#db, clientId)
    await this.#tellGeneration(clientId, 0)
    return true
  }

  async lock(clientId: ClientId): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_clients')
      .set({ lock_version: sql<number>`lock_version + 1` })
      .where('client_id', '=', clientId)
      .where('deleted_at', 'is', null)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  /** Publishes that the client's generation, or the previous one, has ended. Its row was changed and is locked. */
  async #tellGeneration(clientId: ClientId, offset: 0 | -1): Promise<void> {
    const { token_generation } = await this.#db
      .selectFrom('oauth_clients')
      .select('token_generation')
      .where('client_id', '=', clientId)
      .executeTakeFirstOrThrow()
    const generation = integer(token_generation, 'token_generation') + offset
    this.#last.ended.push({ fact: { kind: 'client', clientId, generation }, expiresAt: null })
  }

  /** The guarded update that decides races between changes. */
  async #change(clientId: ClientId, guard: number | null, set: ClientColumns, { at, by }: Change): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_clients')
      .set({ ...set, updated_at: at, updated_by: by, version: sql<number>`version + 1` })
      .where('client_id', '=', clientId)
      .where('deleted_at', 'is', null)
      .$if(guard !== null, (query) => query.where('version', '=', guard ?? 0))
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }
}

/** The columns that an update may set. Counters are set from their previous values. */
type ClientColumns = UpdateObject<Database, 'oauth_clients', 'oauth_clients'>

/** A deleted client keeps only its id. Everything that identifies its owner is cleared. */
const BLANK = Object.freeze({
  display_name: '',
  jwks: null,
  jwks_uri: null,
  federated_identities: null,
  tls_client_subject: null,
  owner: null,
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
    jwks_uri: client.jwksUri,
    federated_identities: identitiesText(client.federatedIdentities),
    tls_client_subject: client.tlsClientSubject,
    grant_types: JSON.stringify(client.grantTypes),
    redirect_uris: JSON.stringify(client.redirectUris),
    scopes: client.scopes.join(' '),
    audiences: JSON.stringify(client.audiences),
    owner: client.owner,
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

/** The page's ids are in a derived table, because a limit on the joined rows would count audiences. */
function pageQuery(db: Kysely<Database>, filter: ClientFilter, { after, limit }: PageRequest<ClientId>) {
  const { enabled, type, idPrefix, owner } = filter
  const ids = db
    .selectFrom('oauth_clients as listed')
    .select('listed.client_id as listed_id')
    .where('listed.deleted_at', 'is', null)
    .$if(after !== null, (query) => query.where('listed.client_id', '>', after ?? ''))
    .$if(enabled !== null, (query) => query.where('listed.enabled', '=', asFlag(enabled ?? false)))
    .$if(type !== null, (query) => query.where('listed.type', '=', type ?? ''))
    .$if(owner !== null, (query) => query.where('listed.owner', '=', owner))
    .$if(idPrefix !== null && idPrefix !== '', (query) =>
      query
        .where('listed.client_id', '>=', idPrefix ?? '')
        .where('listed.client_id', '<', `${idPrefix ?? ''}${LAST_CHARACTER}`),
    )
    .orderBy('listed.client_id')
    .limit(sql.lit(limit))
  return clientRows(db).innerJoin(ids.as('page'), 'page.listed_id', 'oauth_clients.client_id')
}

/** Rows of the same client are adjacent. */
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
    jwksUri: row.jwks_uri,
    federatedIdentities: identitiesOf(row.federated_identities),
    tlsClientSubject: row.tls_client_subject,
    grantTypes: Object.freeze(
      stringList(row.grant_types, 'grant_types').map((grant) => oneOf(grant, GRANT_TYPES, 'grant_types')),
    ),
    redirectUris: stringList(row.redirect_uris, 'redirect_uris'),
    scopes: words(row.scopes),
    audiences: stringList(row.audiences, 'audiences'),
    resourceAudiences: Object.freeze(resourceAudiences),
    config: configOf(row),
    owner: row.owner,
    enabled: flag(row.enabled, 'enabled'),
    version: integer(row.version, 'version'),
    tokenGeneration: integer(row.token_generation, 'token_generation'),
    createdAt: epochMs(integer(row.created_at, 'created_at')),
    createdBy: row.created_by,
    updatedAt: epochMs(integer(row.updated_at, 'updated_at')),
    updatedBy: row.updated_by,
  })
}

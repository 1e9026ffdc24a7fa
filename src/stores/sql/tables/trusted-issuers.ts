import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import { milliseconds } from '../../../domain/ids.ts'
import {
  ISSUER_KINDS,
  type IssuerRegistration,
  type KeyLocation,
  type RegisteredIssuer,
} from '../../../domain/trusted-issuer.ts'
import type { Change, PageRequest, StoreContext } from '../../contract/context.ts'
import type { TrustedIssuerFilter, TrustedIssuerReads, TrustedIssuerStore } from '../../contract/trusted-issuers.ts'
import { falseIfTaken } from '../core/database-error.ts'
import { asFlag, flag, integer, moment, oneOf, textOf } from '../core/rows.ts'
import type { Database, TrustedIssuerTable } from '../core/schema.ts'
import { rulesOf, rulesText } from './assertion-rules.ts'
import { holdLease } from './held-lease.ts'
import { type Finder, loadBy, type ReadSource } from './read-source.ts'

const ANY = 'any'

export class SqlTrustedIssuerReads implements TrustedIssuerReads {
  readonly #lists: Kysely<Database>
  readonly #byName: Finder<string, RegisteredIssuer | null>
  readonly #any: Finder<typeof ANY, boolean>

  constructor(source: ReadSource) {
    const { db, lists } = source
    this.#lists = lists
    this.#byName = source.finder({
      name: 'trusted_issuers',
      load: loadBy(
        db,
        (names) => issuers(db).where('issuer', 'in', names).compile(),
        (rows) => new Map(rows.map(issuerOf).map((issuer) => [issuer.issuer, issuer])),
      ),
      nameOf: String,
      absent: null,
    })
    // Unauthenticated callers can present assertions, so concurrent callers share one look-up.
    this.#any = source.finder({
      load: async () => {
        const row = await db.selectFrom('oauth_trusted_issuers').select('issuer').limit(sql.lit(1)).executeTakeFirst()
        return new Map([[ANY, row !== undefined]])
      },
      nameOf: String,
      absent: false,
    })
  }

  find({ span }: StoreContext, issuer: string): Promise<RegisteredIssuer | null> {
    return this.#byName.find(issuer, span)
  }

  isAny({ span }: StoreContext): Promise<boolean> {
    return this.#any.find(ANY, span)
  }

  async count(): Promise<number> {
    const row = await this.#lists
      .selectFrom('oauth_trusted_issuers')
      .select((rows) => rows.fn.countAll<number>().as('issuers'))
      .executeTakeFirstOrThrow()
    return integer(row.issuers, 'issuers')
  }

  async page(
    _ctx: StoreContext,
    { owner }: TrustedIssuerFilter,
    { after, limit }: PageRequest<string>,
  ): Promise<readonly RegisteredIssuer[]> {
    const rows = await issuers(this.#lists)
      .$if(owner !== null, (query) => query.where('owner', '=', owner))
      .$if(after !== null, (query) => query.where('issuer', '>', after ?? ''))
      .orderBy('issuer')
      .limit(sql.lit(limit))
      .execute()
    return rows.map(issuerOf)
  }
}

/** The lease whose row is locked. The lease itself is never acquired. */
const LOCK = 'trusted-issuers'

export class SqlTrustedIssuerStore extends SqlTrustedIssuerReads implements TrustedIssuerStore {
  readonly #db: Kysely<Database>

  constructor(source: ReadSource) {
    super(source)
    this.#db = source.db
  }

  lock(change: Change): Promise<boolean> {
    return holdLease(this.#db, LOCK, change)
  }

  async insert(issuer: RegisteredIssuer): Promise<boolean> {
    const { createdAt, createdBy, updatedAt, updatedBy } = issuer
    return await falseIfTaken(async () => {
      await this.#db
        .insertInto('oauth_trusted_issuers')
        .values({
          issuer: issuer.issuer,
          kind: issuer.kind,
          trust_domain: issuer.trustDomain,
          ...changeableRow(issuer),
          created_at: createdAt,
          created_by: createdBy,
          updated_at: updatedAt,
          updated_by: updatedBy,
        })
        .execute()
    })
  }

  async update(
    issuer: IssuerRegistration & { readonly revision: string },
    revision: string,
    { at, by }: Change,
  ): Promise<boolean> {
    const result = await this.#db
      .updateTable('oauth_trusted_issuers')
      .set({ ...changeableRow(issuer), updated_at: at, updated_by: by })
      .where('issuer', '=', issuer.issuer)
      .where('revision', '=', revision)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async delete(issuer: string, revision: string): Promise<boolean> {
    const result = await this.#db
      .deleteFrom('oauth_trusted_issuers')
      .where('issuer', '=', issuer)
      .where('revision', '=', revision)
      .executeTakeFirst()
    return result.numDeletedRows === 1n
  }
}

function issuers(db: Kysely<Database>) {
  return db.selectFrom('oauth_trusted_issuers').selectAll()
}

type Changeable = Omit<
  Insertable<TrustedIssuerTable>,
  'issuer' | 'kind' | 'trust_domain' | 'created_at' | 'created_by' | 'updated_at' | 'updated_by'
>

function changeableRow(issuer: IssuerRegistration & { readonly revision: string }): Changeable {
  return {
    revision: issuer.revision,
    display_name: issuer.displayName,
    ...locationRow(issuer.keys),
    audience: issuer.audience,
    single_use: asFlag(issuer.singleUse),
    max_lifetime: issuer.maxLifetime,
    rules: rulesText(issuer.rules),
    owner: issuer.owner,
  }
}

const KEY_LOCATIONS = Object.freeze(['inline', 'url', 'discovery'] as const)

function locationRow(keys: KeyLocation) {
  const none = { jwks: null, jwks_uri: null, ca_certificates: null }
  switch (keys.kind) {
    case 'inline':
      return { ...none, key_location: keys.kind, jwks: keys.jwks }
    case 'url':
      return { ...none, key_location: keys.kind, jwks_uri: keys.url, ca_certificates: keys.ca }
    case 'discovery':
      return { ...none, key_location: keys.kind, ca_certificates: keys.ca }
    case 'file':
      throw new Error('an issuer of the database has no key set in a file')
    default:
      return keys satisfies never
  }
}

function locationOf(row: Selectable<TrustedIssuerTable>): KeyLocation {
  const kind = oneOf(row.key_location, KEY_LOCATIONS, 'key_location')
  switch (kind) {
    case 'inline':
      return Object.freeze({ kind, jwks: textOf(row.jwks, 'jwks') })
    case 'url':
      return Object.freeze({ kind, url: textOf(row.jwks_uri, 'jwks_uri'), ca: row.ca_certificates })
    case 'discovery':
      return Object.freeze({ kind, ca: row.ca_certificates })
    default:
      return kind satisfies never
  }
}

function issuerOf(row: Selectable<TrustedIssuerTable>): RegisteredIssuer {
  return Object.freeze({
    issuer: row.issuer,
    origin: 'api',
    revision: row.revision,
    displayName: row.display_name,
    kind: oneOf(row.kind, ISSUER_KINDS, 'kind'),
    trustDomain: row.trust_domain,
    keys: locationOf(row),
    audience: row.audience,
    singleUse: flag(row.single_use, 'single_use'),
    maxLifetime: milliseconds(integer(row.max_lifetime, 'max_lifetime')),
    rules: rulesOf(row.rules, 'rules'),
    owner: row.owner,
    createdAt: moment(row.created_at, 'created_at'),
    createdBy: row.created_by,
    updatedAt: moment(row.updated_at, 'updated_at'),
    updatedBy: row.updated_by,
  })
}

import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import {
  AUDIT_EVENT_TYPES,
  type AuditEvent,
  type AuditEventType,
  type AuditRecord,
} from '../../../domain/audit-event.ts'
import {
  type AuditEventId,
  auditEventId,
  clientId,
  epochMs,
  grantId,
  type KeyId,
  keyId,
  tokenId,
  userId,
} from '../../../domain/ids.ts'
import type { AuditFilter, AuditLogReads } from '../../contract/audit-log.ts'
import type { PageRequest, StoreContext } from '../../contract/context.ts'
import { InsertStatements } from '../core/prepared-statement.ts'
import { integer, oneOf, stringMap } from '../core/rows.ts'
import type { AuditLogTable, Database } from '../core/schema.ts'

/** The last millisecond that a UUIDv7 can contain. */
const LAST_MS = 2 ** 48 - 1
/** The columns of an event. */
export const EVENT_COLUMNS = [
  'event_id',
  'event_type',
  'ray_id',
  'client_id',
  'user_id',
  'token_id',
  'grant_id',
  'actor',
  'metadata',
  'created_at',
] as const

/** The events of the audit log, newest first. */
export class SqlAuditLog implements AuditLogReads {
  readonly #db: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  async find(_ctx: StoreContext, id: AuditEventId): Promise<AuditEvent | null> {
    const row = await this.#events().where('event_id', '=', id).executeTakeFirst()
    return row === undefined ? null : eventOf(row)
  }

  async page(_ctx: StoreContext, filter: AuditFilter, page: PageRequest<AuditEventId>): Promise<readonly AuditEvent[]> {
    const matching = (type: AuditEventType | null) =>
      this.#events()
        .$if(type !== null, (query) => query.where('event_type', '=', type ?? ''))
        .$if(filter.clientId !== null, (query) => query.where('client_id', '=', filter.clientId))
        .$if(filter.userId !== null, (query) => query.where('user_id', '=', filter.userId))
        .$if(filter.rayId !== null, (query) => query.where('ray_id', '=', filter.rayId ?? ''))
        .$if(filter.from !== null, (query) => query.where('event_id', '>=', firstIdAt(filter.from ?? 0)))
        .$if(filter.until !== null, (query) => query.where('event_id', '<', firstIdAt(filter.until ?? 0)))
        .$if(page.after !== null, (query) => query.where('event_id', '<', page.after ?? ''))
        .orderBy('event_id', 'desc')
        .limit(sql.lit(page.limit))
    // Each type is an ordered range of an index. None of the databases merges several such ranges in order.
    const found = []
    for (const type of filter.types.length === 0 ? [null] : new Set(filter.types)) {
      found.push(...(await matching(type).execute()))
    }
    return newestFirst(found).slice(0, page.limit).map(eventOf)
  }

  async keyIds(_ctx: StoreContext): Promise<readonly KeyId[]> {
    const rows = await this.#db.selectFrom('oauth_audit_heads').select('key_id').distinct().orderBy('key_id').execute()
    return rows.map((row) => keyId(row.key_id))
  }

  #events() {
    return this.#db.selectFrom('oauth_audit_log').select(EVENT_COLUMNS)
  }
}

export function auditInserts(db: Kysely<Database>): InsertStatements<Insertable<AuditLogTable>> {
  return new InsertStatements((rows) => db.insertInto('oauth_audit_log').values(rows).compile())
}

function newestFirst<Row extends { readonly event_id: string }>(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((a, b) => (a.event_id < b.event_id ? 1 : -1))
}

/** The smallest event id of a millisecond. Ids contain `created_at`, so a range of times is a range of ids. */
function firstIdAt(moment: number): string {
  const hex = Math.min(Math.max(moment, 0), LAST_MS).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

export function auditRow(record: AuditRecord): Insertable<AuditLogTable> {
  return {
    event_id: record.eventId,
    writer_id: record.writerId,
    sequence: record.sequence,
    previous_hash: record.previousHash,
    hash: record.hash,
    key_id: record.keyId,
    event_type: record.eventType,
    ray_id: record.rayId,
    client_id: record.clientId,
    user_id: record.userId,
    token_id: record.tokenId,
    grant_id: record.grantId,
    actor: record.actor,
    metadata: record.metadata,
    created_at: record.createdAt,
    created_by: record.createdBy,
  }
}

export function eventOf(row: Pick<Selectable<AuditLogTable>, (typeof EVENT_COLUMNS)[number]>): AuditEvent {
  return Object.freeze({
    eventId: auditEventId(row.event_id),
    type: oneOf(row.event_type, AUDIT_EVENT_TYPES, 'event_type'),
    rayId: row.ray_id,
    clientId: row.client_id === null ? null : clientId(row.client_id),
    userId: row.user_id === null ? null : userId(row.user_id),
    tokenId: row.token_id === null ? null : tokenId(row.token_id),
    grantId: row.grant_id === null ? null : grantId(row.grant_id),
    actor: row.actor,
    metadata: stringMap(row.metadata, 'metadata'),
    createdAt: epochMs(integer(row.created_at, 'created_at')),
  })
}

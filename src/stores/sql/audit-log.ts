import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import { AUDIT_EVENT_TYPES, type AuditEvent } from '../../domain/audit-event.ts'
import { auditEventId, clientId, epochMs, grantId, type KeyId, keyId, tokenId, userId } from '../../domain/ids.ts'
import type { AuditLogReads } from '../contract.ts'
import { integer, oneOf, stringMap } from './rows.ts'
import type { AuditLogTable, Database } from './schema.ts'
import { InsertStatements } from './sized-statements.ts'

const EVENT_COLUMNS = [
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

/** An event's place in the chain of its writer. */
export interface ChainPlace {
  readonly writerId: string
  /** From 1, without gaps. */
  readonly sequence: number
  readonly previous: Buffer
  readonly hash: Buffer
  readonly keyId: KeyId
}

export function auditReads(db: Kysely<Database>): AuditLogReads {
  return {
    find: async (_ctx, id) => {
      const row = await db
        .selectFrom('oauth_audit_log')
        .select(EVENT_COLUMNS)
        .where('event_id', '=', id)
        .executeTakeFirst()
      return row === undefined ? null : eventOf(row)
    },
    page: async (_ctx, filter, page) => {
      const rows = await db
        .selectFrom('oauth_audit_log')
        .select(EVENT_COLUMNS)
        .$if(filter.types.length > 0, (query) => query.where('event_type', 'in', filter.types))
        .$if(filter.clientId !== null, (query) => query.where('client_id', '=', filter.clientId))
        .$if(filter.userId !== null, (query) => query.where('user_id', '=', filter.userId))
        .$if(filter.rayId !== null, (query) => query.where('ray_id', '=', filter.rayId ?? ''))
        .$if(filter.from !== null, (query) => query.where('created_at', '>=', filter.from ?? 0))
        .$if(filter.until !== null, (query) => query.where('created_at', '<', filter.until ?? 0))
        .$if(page.after !== null, (query) => query.where('event_id', '<', page.after ?? ''))
        .orderBy('event_id', 'desc')
        .limit(sql.lit(page.limit))
        .execute()
      return rows.map(eventOf)
    },
    keyIds: async () => {
      const rows = await db.selectFrom('oauth_audit_heads').select('key_id').distinct().orderBy('key_id').execute()
      return rows.map((row) => keyId(row.key_id))
    },
  }
}

export function auditInserts(db: Kysely<Database>): InsertStatements<Insertable<AuditLogTable>> {
  return new InsertStatements((rows) => db.insertInto('oauth_audit_log').values(rows).compile())
}

export function auditRow(event: AuditEvent, place: ChainPlace): Insertable<AuditLogTable> {
  return {
    event_id: event.eventId,
    writer_id: place.writerId,
    sequence: place.sequence,
    previous_hash: place.previous,
    hash: place.hash,
    key_id: place.keyId,
    event_type: event.type,
    ray_id: event.rayId,
    client_id: event.clientId,
    user_id: event.userId,
    token_id: event.tokenId,
    grant_id: event.grantId,
    actor: event.actor,
    metadata: JSON.stringify(event.metadata),
    created_at: event.createdAt,
    created_by: event.actor,
  }
}

function eventOf(row: Pick<Selectable<AuditLogTable>, (typeof EVENT_COLUMNS)[number]>): AuditEvent {
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

import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuditHead, AuditRecord } from '../../../domain/audit-record.ts'
import { keyId } from '../../../domain/ids.ts'
import type { AuditChainReads } from '../../contract/audit-log.ts'
import type { AuditHeadTable, AuditLogTable, Database } from '../schema.ts'

/** Numbers and bytes are taken as they are: whoever tampered with a row is not to stop its being examined. */
export function auditChainReads(db: Kysely<Database>): AuditChainReads {
  const records = () => db.selectFrom('oauth_audit_log').selectAll()
  const edge = async (writerId: string, direction: 'asc' | 'desc') => {
    const row = await db
      .selectFrom('oauth_audit_log')
      .select('sequence')
      .where('writer_id', '=', writerId)
      .orderBy('sequence', direction)
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : Number(row.sequence)
  }
  return {
    writerRegistry: async () => {
      const row = await db.selectFrom('oauth_audit_roster').select(['writers', 'total']).executeTakeFirst()
      return row === undefined ? null : { writers: Number(row.writers), total: bytesOf(row.total) }
    },
    heads: async (_ctx, after, limit) => {
      const rows = await db
        .selectFrom('oauth_audit_heads')
        .selectAll()
        .where('ordinal', '>', after)
        .orderBy('ordinal')
        .limit(sql.lit(limit))
        .execute()
      return rows.map(headOf)
    },
    head: async (_ctx, writerId) => {
      const row = await db
        .selectFrom('oauth_audit_heads')
        .selectAll()
        .where('writer_id', '=', writerId)
        .executeTakeFirst()
      return row === undefined ? null : headOf(row)
    },
    lastOrdinal: async () => {
      const row = await db
        .selectFrom('oauth_audit_heads')
        .select((eb) => eb.fn.max('ordinal').as('ordinal'))
        .executeTakeFirst()
      return Number(row?.ordinal ?? 0)
    },
    writerAfter: async (_ctx, writerId) => {
      const row = await db
        .selectFrom('oauth_audit_log')
        .select('writer_id')
        .where('writer_id', '>', writerId)
        .orderBy('writer_id')
        .limit(sql.lit(1))
        .executeTakeFirst()
      return row === undefined ? null : row.writer_id
    },
    extent: async (_ctx, writerId) => {
      const first = await edge(writerId, 'asc')
      const last = await edge(writerId, 'desc')
      return first === null || last === null ? null : { first, last }
    },
    records: async (_ctx, writerId, after, limit) => {
      const rows = await records()
        .where('writer_id', '=', writerId)
        .where('sequence', '>', after)
        .orderBy('sequence')
        .limit(sql.lit(limit))
        .execute()
      return rows.map(auditRecordOf)
    },
    follower: async (_ctx, writerId, previousHash, after, within) => {
      const row = await records()
        .where('writer_id', '=', writerId)
        .where('sequence', '>', after)
        .where('sequence', '<=', after + within)
        .where('previous_hash', '=', previousHash)
        .orderBy('sequence')
        .limit(sql.lit(1))
        .executeTakeFirst()
      return row === undefined ? null : auditRecordOf(row)
    },
  }
}

function auditRecordOf(row: Selectable<AuditLogTable>): AuditRecord {
  return {
    writerId: row.writer_id,
    sequence: Number(row.sequence),
    previousHash: bytesOf(row.previous_hash),
    hash: bytesOf(row.hash),
    keyId: keyId(row.key_id),
    eventId: row.event_id,
    eventType: row.event_type,
    rayId: row.ray_id,
    clientId: row.client_id,
    userId: row.user_id,
    tokenId: row.token_id,
    grantId: row.grant_id,
    actor: row.actor,
    metadata: row.metadata,
    createdAt: Number(row.created_at),
    createdBy: row.created_by,
  }
}

function headOf(row: Selectable<AuditHeadTable>): AuditHead {
  return {
    writerId: row.writer_id,
    ordinal: Number(row.ordinal),
    sequence: Number(row.sequence),
    hash: bytesOf(row.hash),
    keyId: keyId(row.key_id),
    mac: bytesOf(row.mac),
  }
}

/** Bytes that crossed a thread arrive as a plain array. */
function bytesOf(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value)
}

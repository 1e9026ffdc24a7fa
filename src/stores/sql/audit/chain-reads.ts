import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuditHead, AuditRecord, WriterRegistry } from '../../../domain/audit-event.ts'
import { keyId } from '../../../domain/ids.ts'
import type { AuditChainReads } from '../../contract/audit-log.ts'
import type { StoreContext } from '../../contract/context.ts'
import type { AuditHeadTable, AuditLogTable, Database } from '../core/schema.ts'

/** Reads numbers and bytes without validation, so that a manipulated row can be examined. */
export class SqlAuditChains implements AuditChainReads {
  readonly #db: Kysely<Database>

  constructor(db: Kysely<Database>) {
    this.#db = db
  }

  async writerRegistry(_ctx: StoreContext): Promise<WriterRegistry | null> {
    const row = await this.#db.selectFrom('oauth_audit_roster').select(['writers', 'total']).executeTakeFirst()
    return row === undefined ? null : { writers: Number(row.writers), total: bytesOf(row.total) }
  }

  async heads(_ctx: StoreContext, after: number, limit: number): Promise<readonly AuditHead[]> {
    const rows = await this.#db
      .selectFrom('oauth_audit_heads')
      .selectAll()
      .where('ordinal', '>', after)
      .orderBy('ordinal')
      .limit(sql.lit(limit))
      .execute()
    return rows.map(headOf)
  }

  async head(_ctx: StoreContext, writerId: string): Promise<AuditHead | null> {
    const row = await this.#db
      .selectFrom('oauth_audit_heads')
      .selectAll()
      .where('writer_id', '=', writerId)
      .executeTakeFirst()
    return row === undefined ? null : headOf(row)
  }

  async lastOrdinal(_ctx: StoreContext): Promise<number> {
    const row = await this.#db
      .selectFrom('oauth_audit_heads')
      .select((eb) => eb.fn.max('ordinal').as('ordinal'))
      .executeTakeFirst()
    return Number(row?.ordinal ?? 0)
  }

  async writerAfter(_ctx: StoreContext, writerId: string): Promise<string | null> {
    const row = await this.#db
      .selectFrom('oauth_audit_log')
      .select('writer_id')
      .where('writer_id', '>', writerId)
      .orderBy('writer_id')
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : row.writer_id
  }

  async extent(
    _ctx: StoreContext,
    writerId: string,
  ): Promise<{ readonly first: number; readonly last: number } | null> {
    const first = await this.#edge(writerId, 'asc')
    const last = await this.#edge(writerId, 'desc')
    return first === null || last === null ? null : { first, last }
  }

  async records(_ctx: StoreContext, writerId: string, after: number, limit: number): Promise<readonly AuditRecord[]> {
    const rows = await this.#records()
      .where('writer_id', '=', writerId)
      .where('sequence', '>', after)
      .orderBy('sequence')
      .limit(sql.lit(limit))
      .execute()
    return rows.map(auditRecordOf)
  }

  async follower(
    _ctx: StoreContext,
    writerId: string,
    previousHash: Buffer,
    after: number,
    within: number,
  ): Promise<AuditRecord | null> {
    const row = await this.#records()
      .where('writer_id', '=', writerId)
      .where('sequence', '>', after)
      .where('sequence', '<=', after + within)
      .where('previous_hash', '=', previousHash)
      .orderBy('sequence')
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : auditRecordOf(row)
  }

  #records() {
    return this.#db.selectFrom('oauth_audit_log').selectAll()
  }

  async #edge(writerId: string, direction: 'asc' | 'desc'): Promise<number | null> {
    const row = await this.#db
      .selectFrom('oauth_audit_log')
      .select('sequence')
      .where('writer_id', '=', writerId)
      .orderBy('sequence', direction)
      .limit(sql.lit(1))
      .executeTakeFirst()
    return row === undefined ? null : Number(row.sequence)
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

/** Bytes from another thread arrive as a plain array. */
function bytesOf(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value)
}

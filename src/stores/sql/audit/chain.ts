import { type CompiledQuery, type Insertable, type Kysely, sql } from 'kysely'
import type { AuditEvent } from '../../../domain/audit-event.ts'
import { NO_HASH, recordOf } from '../../../domain/audit-record.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { Statement } from '../core/dialect.ts'
import { hash32 } from '../core/rows.ts'
import type { AuditLogTable, Database } from '../core/schema.ts'
import type { InsertStatements } from '../core/sized-statements.ts'
import { auditInserts, auditRow } from './log.ts'
import { registerWriter, SERVER_ITSELF } from './writer-registry.ts'

interface End {
  readonly writerId: string
  /** `null` until the writer's first events are committed. */
  readonly ordinal: number | null
  readonly sequence: number
  readonly hash: Buffer
}

/** An end that is in the database. */
type StoredEnd = End & { readonly ordinal: number }

/** Events put at their places in a chain: what to write, and where the chain ends once that is committed. */
export interface SealedEvents {
  readonly statements: readonly Statement[]
  readonly end: End
}

/**
 * The chain of one writer: each row's hash covers the one before it. It grows
 * in memory only by `advance`, after the commit, so a rollback leaves no gap;
 * the head is stored in the same commit as the rows.
 */
export class AuditChain {
  readonly #db: Kysely<Database>
  readonly #inserts: InsertStatements<Insertable<AuditLogTable>>
  readonly #seal: AuditSeal
  readonly #newWriterId: () => string
  #end: End

  constructor(db: Kysely<Database>, seal: AuditSeal, newWriterId: () => string) {
    this.#db = db
    this.#inserts = auditInserts(db)
    this.#seal = seal
    this.#newWriterId = newWriterId
    this.#end = this.#start()
  }

  /** Whether nothing of it is committed yet: its first events need an open transaction. */
  get isNew(): boolean {
    return this.#end.ordinal === null
  }

  /** Seals events of a chain that is not new. */
  seal(events: readonly AuditEvent[]): SealedEvents {
    if (events.length === 0) return { statements: [], end: this.#end }
    if (this.#end.ordinal === null) throw new Error('the first events of a chain are sealed in a transaction')
    return this.#sealAs(this.#end.ordinal, events)
  }

  /** Seals in the open transaction of the writer; the first events register the writer. */
  async sealInside(events: readonly AuditEvent[]): Promise<SealedEvents> {
    const [first] = events
    if (first === undefined || this.#end.ordinal !== null) return this.seal(events)
    return this.#sealAs(await registerWriter(this.#db, this.#seal, this.#end.writerId, first.createdAt), events)
  }

  /** Notes that sealed events are committed. */
  advance({ end }: SealedEvents): void {
    this.#end = end
  }

  /** Starts anew under another id, when it cannot be known whether the last events were committed. */
  restart(): void {
    this.#end = this.#start()
  }

  /**
   * Takes the stored head, so that no other transaction can move it any more,
   * and returns its hash; `null` if there was none: then one is stored that
   * nothing leads to, in the way of whoever was about to.
   */
  async takeStored({ end: { writerId } }: SealedEvents, at: number): Promise<Buffer | null> {
    // A change of the row: what only locks it is local to a node of a cluster.
    const taken = await this.#db
      .updateTable('oauth_audit_heads')
      .set({ updated_at: sql<number>`updated_at + 1` })
      .where('writer_id', '=', writerId)
      .executeTakeFirst()
    if (taken.numUpdatedRows === 0n) {
      const ordinal = await registerWriter(this.#db, this.#seal, writerId, at)
      const nowhere = { writerId, ordinal, sequence: 0, hash: NO_HASH }
      await this.#db.executeQuery(this.#newHead(nowhere, at))
      return null
    }
    const { hash } = await this.#db
      .selectFrom('oauth_audit_heads')
      .select('hash')
      .where('writer_id', '=', writerId)
      .executeTakeFirstOrThrow()
    return hash32(hash, 'hash')
  }

  #start(): End {
    return { writerId: this.#newWriterId(), ordinal: null, sequence: 0, hash: NO_HASH }
  }

  #sealAs(ordinal: number, events: readonly AuditEvent[]): SealedEvents {
    let { sequence, hash } = this.#end
    const { writerId } = this.#end
    const { keyId } = this.#seal
    let at = 0
    const rows: Insertable<AuditLogTable>[] = []
    for (const event of events) {
      sequence += 1
      const record = recordOf(event, { writerId, sequence, previousHash: hash, keyId })
      hash = this.#seal.hash(record)
      at = event.createdAt
      rows.push(auditRow({ ...record, hash }))
    }
    const end = { writerId, ordinal, sequence, hash }
    return { statements: [...this.#inserts.of(rows), this.#headStatement(end, at)], end }
  }

  #headStatement(end: StoredEnd, at: number): CompiledQuery {
    if (this.#end.ordinal === null) return this.#newHead(end, at)
    return this.#db
      .updateTable('oauth_audit_heads')
      .set(this.#headColumns(end, at))
      .where('writer_id', '=', end.writerId)
      .compile()
  }

  #newHead(end: StoredEnd, at: number): CompiledQuery {
    const { writerId, ordinal } = end
    return this.#db
      .insertInto('oauth_audit_heads')
      .values({
        writer_id: writerId,
        ordinal,
        ...this.#headColumns(end, at),
        created_at: at,
        created_by: SERVER_ITSELF,
      })
      .compile()
  }

  #headColumns({ writerId, ordinal, sequence, hash }: StoredEnd, at: number) {
    const { keyId } = this.#seal
    const mac = this.#seal.headMac({ writerId, ordinal, sequence, hash, keyId })
    return { sequence, hash, key_id: keyId, mac, updated_at: at, updated_by: SERVER_ITSELF }
  }
}

import { type Insertable, type Kysely, sql } from 'kysely'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { AuditSeal } from '../contract.ts'
import { auditInserts, auditRow } from './audit-log.ts'
import type { Statement } from './dialect.ts'
import { hash32 } from './rows.ts'
import type { AuditLogTable, Database } from './schema.ts'
import type { InsertStatements } from './sized-statements.ts'

const NO_HASH = Buffer.alloc(32)
/** Heads are written by the server itself. */
const KEEPER = 'qscope'

interface Head {
  readonly writerId: string
  readonly sequence: number
  readonly hash: Buffer
}

/** Events put at their places in a chain: what to write, and where the chain ends once that is committed. */
export interface SealedEvents {
  readonly statements: readonly Statement[]
  readonly end: Head
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
  #head: Head

  constructor(db: Kysely<Database>, seal: AuditSeal, newWriterId: () => string) {
    this.#db = db
    this.#inserts = auditInserts(db)
    this.#seal = seal
    this.#newWriterId = newWriterId
    this.#head = this.#start()
  }

  seal(events: readonly AuditEvent[]): SealedEvents {
    let { sequence, hash } = this.#head
    const { writerId } = this.#head
    const rows: Insertable<AuditLogTable>[] = []
    for (const event of events) {
      const previous = hash
      sequence += 1
      hash = this.#seal.hash(previous, writerId, sequence, event)
      rows.push(auditRow(event, { writerId, sequence, previous, hash, keyId: this.#seal.keyId }))
    }
    const last = events.at(-1)
    if (last === undefined) return { statements: [], end: this.#head }
    const end = { writerId, sequence, hash }
    return { statements: [...this.#inserts.of(rows), this.#headStatement(end, last.createdAt)], end }
  }

  /** Notes that sealed events are committed. */
  advance({ end }: SealedEvents): void {
    this.#head = end
  }

  /** Starts anew under another id, when it cannot be known whether the last events were committed. */
  restart(): void {
    this.#head = this.#start()
  }

  /**
   * Takes the stored head, so that no other transaction can move it any more,
   * and tells its hash; `null` if there was none: then one is stored that
   * nothing leads to, in the way of whoever was about to.
   */
  async takeStored({ end: { writerId } }: SealedEvents): Promise<Buffer | null> {
    // A change of the row: what only locks it is local to a node of a cluster.
    const taken = await this.#db
      .updateTable('oauth_audit_heads')
      .set({ updated_at: sql<number>`updated_at + 1` })
      .where('writer_id', '=', writerId)
      .executeTakeFirst()
    if (taken.numUpdatedRows === 0n) {
      const nowhere = { sequence: 0, hash: NO_HASH, key_id: this.#seal.keyId }
      const kept = { created_at: 0, created_by: KEEPER, updated_at: 0, updated_by: KEEPER }
      await this.#db
        .insertInto('oauth_audit_heads')
        .values({ writer_id: writerId, ...nowhere, ...kept })
        .execute()
      return null
    }
    const { hash } = await this.#db
      .selectFrom('oauth_audit_heads')
      .select('hash')
      .where('writer_id', '=', writerId)
      .executeTakeFirstOrThrow()
    return hash32(hash, 'hash')
  }

  #start(): Head {
    return { writerId: this.#newWriterId(), sequence: 0, hash: NO_HASH }
  }

  #headStatement(end: Head, at: number): Statement {
    const changed = {
      sequence: end.sequence,
      hash: end.hash,
      key_id: this.#seal.keyId,
      updated_at: at,
      updated_by: KEEPER,
    }
    return this.#head.sequence === 0
      ? this.#db
          .insertInto('oauth_audit_heads')
          .values({ writer_id: end.writerId, ...changed, created_at: at, created_by: KEEPER })
          .compile()
      : this.#db.updateTable('oauth_audit_heads').set(changed).where('writer_id', '=', end.writerId).compile()
  }
}

import { type CompiledQuery, type Insertable, type Kysely, sql } from 'kysely'
import { type AuditEvent, NO_HASH, recordOf } from '../../../domain/audit-event.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import { DatabaseError, falseIfTaken } from '../core/database-error.ts'
import type { Statement } from '../core/dialect.ts'
import type { InsertStatements } from '../core/prepared-statement.ts'
import { bytes, hash32, integer } from '../core/rows.ts'
import type { AuditLogTable, AuditRosterTable, Database } from '../core/schema.ts'
import { auditInserts, auditRow } from './log.ts'

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
    return this.#sealAs(this.#end.ordinal, events, 0)
  }

  /**
   * Seals in the open transaction of the writer; the first events register the writer.
   * With `registers` it is registered for something else that it numbers, even without any.
   */
  async sealInside(events: readonly AuditEvent[], registers = false): Promise<SealedEvents> {
    const [first] = events
    if (this.#end.ordinal !== null || (first === undefined && !registers)) return this.seal(events)
    const at = first?.createdAt ?? Date.now()
    return this.#sealAs(await registerWriter(this.#db, this.#seal, this.#end.writerId, at), events, at)
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

  /** `at`: when the head is written, unless an event says so. */
  #sealAs(ordinal: number, events: readonly AuditEvent[], at: number): SealedEvents {
    let { sequence, hash } = this.#end
    const { writerId } = this.#end
    const { keyId } = this.#seal
    let headAt = at
    const rows: Insertable<AuditLogTable>[] = []
    for (const event of events) {
      sequence += 1
      const record = recordOf(event, { writerId, sequence, previousHash: hash, keyId })
      hash = this.#seal.hash(record)
      headAt = event.createdAt
      rows.push(auditRow({ ...record, hash }))
    }
    const end = { writerId, ordinal, sequence, hash }
    return { statements: [...this.#inserts.of(rows), this.#headStatement(end, headAt)], end }
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

/** Who writes the heads and the registry: the server itself. */
const SERVER_ITSELF = 'qscope'
const REGISTRY = 'writers'

/**
 * Registers a writer, inside the transaction of its first events, and returns its
 * ordinal. Others who register wait for the row, not for each other's chains. This
 * repairs nothing that was tampered with: the total goes on from what is stored,
 * and shows the difference for ever.
 */
async function registerWriter(db: Kysely<Database>, seal: AuditSeal, writerId: string, at: number): Promise<number> {
  const changed = { updated_at: at, updated_by: SERVER_ITSELF }
  // Counts first: the row is held from here on, so that what is read next is the latest.
  const counted = await db
    .updateTable('oauth_audit_roster')
    .set({ writers: sql<number>`writers + 1`, ...changed })
    .where('name', '=', REGISTRY)
    .executeTakeFirst()
  const row = await db
    .selectFrom('oauth_audit_roster')
    .select(['writers', 'total'])
    .where('name', '=', REGISTRY)
    .executeTakeFirst()
  // It appeared after this writer had counted: without the row's lock two writers would get one ordinal.
  if (row !== undefined && counted.numUpdatedRows === 0n) throw registryAppeared()
  const last = await db
    .selectFrom('oauth_audit_heads')
    .select((eb) => eb.fn.max('ordinal').as('ordinal'))
    .executeTakeFirst()
  const highest = last === undefined || last.ordinal === null ? 0 : integer(last.ordinal, 'ordinal')
  const ordinal = Math.max(row === undefined ? 1 : integer(row.writers, 'writers'), highest + 1)
  const before = row === undefined ? NO_HASH : bytes(row.total, 'total')
  const entry = { writers: ordinal, total: seal.registryTotal(before, { ordinal, writerId }), ...changed }
  if (row === undefined) {
    await insertFirst(db, { name: REGISTRY, ...entry, created_at: at, created_by: SERVER_ITSELF })
  } else {
    await db.updateTable('oauth_audit_roster').set(entry).where('name', '=', REGISTRY).execute()
  }
  return ordinal
}

/** Two writers may find no registry at once: one of them creates it, and the other begins again. */
async function insertFirst(db: Kysely<Database>, row: Insertable<AuditRosterTable>): Promise<void> {
  const inserted = await falseIfTaken(async () => {
    await db.insertInto('oauth_audit_roster').values(row).execute()
  })
  if (!inserted) throw registryAppeared()
}

function registryAppeared(): DatabaseError {
  return new DatabaseError('conflict', 'another writer created the registry of the audit log first')
}

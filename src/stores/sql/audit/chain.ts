import { type CompiledQuery, type Insertable, type Kysely, type RawBuilder, sql } from 'kysely'
import { type AuditEvent, CHAIN_RENEWED_AFTER, NO_HASH, recordOf } from '../../../domain/audit-event.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import { DatabaseError, falseIfTaken } from '../core/database-error.ts'
import type { BatchForm, RepeatedStatement, Statement } from '../core/dialect.ts'
import { type InsertStatements, PreparedStatement } from '../core/prepared-statement.ts'
import { bytes, hash32, integer } from '../core/rows.ts'
import type { AuditLogTable, AuditRosterTable, Database, StoredInt } from '../core/schema.ts'
import { auditInserts, auditRow } from './log.ts'

interface End {
  readonly writerId: string
  /** `null` until the writer's first events are committed. */
  readonly ordinal: number | null
  readonly sequence: number
  readonly hash: Buffer
  /** The last writer of the head. This is a fresh name if the head was read back since it was last moved. */
  readonly changedBy: string
}

/** An end that is stored in the database. */
type StoredEnd = End & { readonly ordinal: number }

/** Events with their places in a chain. */
export interface Sealed {
  /** The end of the chain after their commit. */
  readonly end: End
}

/** Sealed events and the rows to write. */
export interface SealedEvents extends Sealed {
  readonly statements: readonly Statement[]
}

/** Events that follow others, whose commit may still be in progress. */
export interface ChainedEvents extends Sealed {
  readonly rows: readonly RepeatedStatement[]
  /** Moves the head to these events. */
  readonly head: Statement
}

/** A stored head, and the name under which it was changed before it was read. */
interface StoredHead {
  readonly hash: Buffer
  readonly changedBy: string
}

interface HeadMove {
  readonly writerId: string
  readonly from: number
  readonly changedBy: string
  readonly sequence: number
  readonly count: number
  readonly hash: Buffer
  readonly keyId: string
  readonly mac: Buffer
}

/** The dependencies of a chain. */
export interface AuditChainParts {
  readonly seal: AuditSeal
  /** Returns a fresh id for a chain. */
  readonly newWriterId: () => string
  /** The database's clock in its dialect. */
  readonly now: RawBuilder<StoredInt>
}

/**
 * The chain of one writer: the hash of each row covers the previous row. The state in memory moves only in `advance`, after
 * the commit, so a rollback leaves no gap. The head is stored in the same commit as the rows. A chain that has not grown for
 * long is replaced by a new one, so that followers of the log need not watch it forever.
 */
export class AuditChain {
  readonly #db: Kysely<Database>
  readonly #inserts: InsertStatements<Insertable<AuditLogTable>>
  readonly #seal: AuditSeal
  readonly #newWriterId: () => string
  /** The database's clock. Followers of the log use it to tell which chains still grow. */
  readonly #changedNow: { readonly updated_at: RawBuilder<number>; readonly updated_by: string }
  /** Matches no row if the head is not in the expected state. */
  readonly #moving: PreparedStatement<HeadMove>
  /** Is refused in this case. Only the writer changes its head, except for the transaction that reads it back. */
  readonly #movingOrRefused: PreparedStatement<HeadMove>
  #end: End
  #grown = momentNow()

  constructor(db: Kysely<Database>, { seal, newWriterId, now }: AuditChainParts) {
    this.#db = db
    this.#changedNow = { updated_at: sql<number>`${now}`, updated_by: SERVER_ITSELF }
    this.#inserts = auditInserts(db)
    this.#seal = seal
    this.#newWriterId = newWriterId
    this.#moving = new PreparedStatement((value) =>
      db
        .updateTable('oauth_audit_heads')
        .set({
          sequence: value('sequence'),
          hash: value('hash'),
          key_id: value('keyId'),
          mac: value('mac'),
          ...this.#changedNow,
        })
        .where('writer_id', '=', value('writerId'))
        .where('sequence', '=', value('from')),
    )
    this.#movingOrRefused = new PreparedStatement((value) =>
      db
        .updateTable('oauth_audit_heads')
        .set({
          // The column is never null.
          sequence: sql<number>`case when sequence = ${value('from')} and updated_by = ${value('changedBy')} then sequence + ${value('count')} end`,
          hash: value('hash'),
          key_id: value('keyId'),
          mac: value('mac'),
          ...this.#changedNow,
        })
        .where('writer_id', '=', value('writerId')),
    )
    this.#end = this.#start()
  }

  /** Whether none of its events is committed yet. The first events need an open transaction. */
  get isNew(): boolean {
    return this.#end.ordinal === null
  }

  /** Starts a new chain if this one has not grown for long. Call this while none of its events is being committed. */
  renewIfIdle(): void {
    if (this.#end.ordinal !== null && elapsedSince(this.#grown) > CHAIN_RENEWED_AFTER) this.restart()
  }

  /** Seals events of a chain that is not new. */
  seal(events: readonly AuditEvent[]): SealedEvents {
    if (events.length === 0) return { statements: [], end: this.#end }
    if (this.#end.ordinal === null) throw new Error('the first events of a chain are sealed in a transaction')
    return this.#sealAs(this.#end.ordinal, events, 0)
  }

  /**
   * Seals events, at least one, after the committed ones or, if `previous` is not `null`, after the events that were sealed
   * last. The chain must not be new.
   */
  sealNext(events: readonly AuditEvent[], previous: ChainedEvents | null, form: BatchForm): ChainedEvents {
    const from = previous?.end ?? this.#end
    const { ordinal, writerId } = from
    const { keyId } = this.#seal
    if (ordinal === null) throw new Error('the first events of a chain are sealed in a transaction')
    const { rows, sequence, hash } = this.#rowsAfter(from, events)
    if (rows.length === 0) throw new Error('there is no event to seal')
    const mac = this.#seal.headMac({ writerId, ordinal, sequence, hash, keyId })
    const place = { writerId, from: from.sequence, changedBy: from.changedBy, sequence, count: events.length }
    const moving = form.refusesLostHead ? this.#movingOrRefused : this.#moving
    const head = moving.with({ ...place, hash, keyId, mac })
    return {
      rows: this.#inserts.inForm(rows, form),
      head,
      end: { writerId, ordinal, sequence, hash, changedBy: SERVER_ITSELF },
    }
  }

  /**
   * Seals in the open transaction of the writer. The first events register the writer. With `registers`, the writer is
   * registered even without events, because it numbers other rows by its ordinal.
   */
  async sealInside(events: readonly AuditEvent[], registers = false): Promise<SealedEvents> {
    const [first] = events
    this.renewIfIdle()
    if (this.#end.ordinal !== null || (first === undefined && !registers)) return this.seal(events)
    const at = first?.createdAt ?? Date.now()
    return this.#sealAs(await registerWriter(this.#db, this.#seal, this.#end.writerId, at), events, at)
  }

  /** Records that sealed events are committed. */
  advance({ end }: Sealed): void {
    this.#end = end
    this.#grown = momentNow()
  }

  /** Records that the head was changed to be read back. Statements that were sent before no longer match it. */
  noteTaken(changedBy: string): void {
    this.#end = { ...this.#end, changedBy }
  }

  /** Starts a new chain with another id, when the outcome of the last commit cannot be determined. */
  restart(): void {
    this.#end = this.#start()
  }

  /**
   * Changes the stored head, so that no other transaction can move it, and returns it. `null` if there was none: then an
   * empty head is stored, which blocks a transaction that was about to insert it.
   */
  async takeStored({ end: { writerId } }: Sealed, at: number): Promise<StoredHead | null> {
    // This changes the row, because a mere lock is local to a node of a cluster. Statements that were sent before do not know
    // the new name.
    const changedBy = `${SERVER_ITSELF} ${this.#newWriterId()}`
    const taken = await this.#db
      .updateTable('oauth_audit_heads')
      .set({ ...this.#changedNow, updated_by: changedBy })
      .where('writer_id', '=', writerId)
      .executeTakeFirst()
    if (taken.numUpdatedRows === 0n) {
      const ordinal = await registerWriter(this.#db, this.#seal, writerId, at)
      const nowhere = { writerId, ordinal, sequence: 0, hash: NO_HASH, changedBy: SERVER_ITSELF }
      await this.#db.executeQuery(this.#newHead(nowhere, at))
      return null
    }
    const { hash } = await this.#db
      .selectFrom('oauth_audit_heads')
      .select('hash')
      .where('writer_id', '=', writerId)
      .executeTakeFirstOrThrow()
    return { hash: hash32(hash, 'hash'), changedBy }
  }

  #start(): End {
    return { writerId: this.#newWriterId(), ordinal: null, sequence: 0, hash: NO_HASH, changedBy: SERVER_ITSELF }
  }

  /** `at`: the time of the head, unless an event has a time. */
  #sealAs(ordinal: number, events: readonly AuditEvent[], at: number): SealedEvents {
    const { writerId } = this.#end
    const { rows, sequence, hash } = this.#rowsAfter(this.#end, events)
    const end = { writerId, ordinal, sequence, hash, changedBy: SERVER_ITSELF }
    const headAt = events.at(-1)?.createdAt ?? at
    return { statements: [...this.#inserts.of(rows), this.#headStatement(end, headAt)], end }
  }

  /** The rows of events after a place, and the place of the last one. */
  #rowsAfter(from: End, events: readonly AuditEvent[]) {
    let { sequence, hash } = from
    const { writerId } = from
    const { keyId } = this.#seal
    const rows: Insertable<AuditLogTable>[] = []
    for (const event of events) {
      sequence += 1
      const record = recordOf(event, { writerId, sequence, previousHash: hash, keyId })
      hash = this.#seal.hash(record)
      rows.push(auditRow({ ...record, hash }))
    }
    return { rows, sequence, hash }
  }

  #headStatement(end: StoredEnd, at: number): CompiledQuery {
    if (this.#end.ordinal === null) return this.#newHead(end, at)
    return this.#db
      .updateTable('oauth_audit_heads')
      .set(this.#headColumns(end))
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
        ...this.#headColumns(end),
        created_at: at,
        created_by: SERVER_ITSELF,
      })
      .compile()
  }

  #headColumns({ writerId, ordinal, sequence, hash }: StoredEnd) {
    const { keyId } = this.#seal
    const mac = this.#seal.headMac({ writerId, ordinal, sequence, hash, keyId })
    return { sequence, hash, key_id: keyId, mac, ...this.#changedNow }
  }
}

/** A moment by both clocks: the monotonic clock may stop while a machine is suspended, and the wall clock can be set back. */
function momentNow() {
  return { monotonic: performance.now(), wall: Date.now() }
}

/** The elapsed milliseconds by the clock that shows more. */
function elapsedSince({ monotonic, wall }: ReturnType<typeof momentNow>): number {
  return Math.max(performance.now() - monotonic, Date.now() - wall)
}

/** The name of the server itself as the writer of the heads and the registry. */
const SERVER_ITSELF = 'qscope'
const REGISTRY = 'writers'

/**
 * Registers a writer inside the transaction of its first events, and returns its ordinal. Other registering writers wait for
 * the row, but not for each other's chains. Manipulated rows are not repaired: the total continues from the stored value, and
 * shows the difference forever.
 */
async function registerWriter(db: Kysely<Database>, seal: AuditSeal, writerId: string, at: number): Promise<number> {
  const changed = { updated_at: at, updated_by: SERVER_ITSELF }
  // The counter is incremented first, which locks the row, so that the following read returns the latest state.
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
  // The row appeared after this writer's update. Without a lock on the row, two writers could get the same ordinal.
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

/** Two writers may find no registry at the same time. One of them creates it, and the other starts again. */
async function insertFirst(db: Kysely<Database>, row: Insertable<AuditRosterTable>): Promise<void> {
  const inserted = await falseIfTaken(async () => {
    await db.insertInto('oauth_audit_roster').values(row).execute()
  })
  if (!inserted) throw registryAppeared()
}

function registryAppeared(): DatabaseError {
  return new DatabaseError('conflict', 'another writer created the registry of the audit log first')
}

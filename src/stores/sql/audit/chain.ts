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
  /** Who its head says changed it last: a name drawn afresh, where it was read back since it was moved. */
  readonly changedBy: string
}

/** An end that is in the database. */
type StoredEnd = End & { readonly ordinal: number }

/** Events put at their places in a chain. */
export interface Sealed {
  /** Where the chain ends once they are committed. */
  readonly end: End
}

/** The same, and what to write. */
export interface SealedEvents extends Sealed {
  readonly statements: readonly Statement[]
}

/** Events that follow others, whose commit may still be under way. */
export interface ChainedEvents extends Sealed {
  readonly rows: readonly RepeatedStatement[]
  /** Moves the head to them. */
  readonly head: Statement
}

/** A head as it was found, and the name under which it was changed to be read. */
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

/** What a writer knows of its chain and of the database. */
export interface AuditChainParts {
  readonly seal: AuditSeal
  /** Names a chain. */
  readonly newWriterId: () => string
  /** The database's clock in its dialect. */
  readonly now: RawBuilder<StoredInt>
}

/**
 * The chain of one writer: each row's hash covers the one before it. It grows
 * in memory only by `advance`, after the commit, so a rollback leaves no gap;
 * the head is stored in the same commit as the rows. A chain that has not grown for
 * long is left for a new one: who follows the log need not look at it for ever.
 */
export class AuditChain {
  readonly #db: Kysely<Database>
  readonly #inserts: InsertStatements<Insertable<AuditLogTable>>
  readonly #seal: AuditSeal
  readonly #newWriterId: () => string
  /** By the database's clock: whoever follows the log tells by it which chains still grow. */
  readonly #changedNow: { readonly updated_at: RawBuilder<number>; readonly updated_by: string }
  /** Finds no row if the head is not where it was supposed to be. */
  readonly #moving: PreparedStatement<HeadMove>
  /** Is refused then. Nobody but its writer changes a head, save the transaction that reads it back. */
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

  /** Whether nothing of it is committed yet: its first events need an open transaction. */
  get isNew(): boolean {
    return this.#end.ordinal === null
  }

  /** Leaves a chain that has not grown for long. To be called while nothing of it is under way. */
  renewIfIdle(): void {
    if (this.#end.ordinal !== null && elapsedSince(this.#grown) > CHAIN_RENEWED_AFTER) this.restart()
  }

  /** Seals events of a chain that is not new. */
  seal(events: readonly AuditEvent[]): SealedEvents {
    if (events.length === 0) return { statements: [], end: this.#end }
    if (this.#end.ordinal === null) throw new Error('the first events of a chain are sealed in a transaction')
    return this.#sealAs(this.#end.ordinal, events, 0)
  }

  /** Seals events, one at least, that follow what is committed or, where that is not `null`, what was sealed last. The chain is not new. */
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
   * Seals in the open transaction of the writer; the first events register the writer.
   * With `registers` it is registered for something else that it numbers, even without any.
   */
  async sealInside(events: readonly AuditEvent[], registers = false): Promise<SealedEvents> {
    const [first] = events
    this.renewIfIdle()
    if (this.#end.ordinal !== null || (first === undefined && !registers)) return this.seal(events)
    const at = first?.createdAt ?? Date.now()
    return this.#sealAs(await registerWriter(this.#db, this.#seal, this.#end.writerId, at), events, at)
  }

  /** Notes that sealed events are committed. */
  advance({ end }: Sealed): void {
    this.#end = end
    this.#grown = momentNow()
  }

  /** Notes when the head was changed to be read back: what was sent before does not find it as it was. */
  noteTaken(changedBy: string): void {
    this.#end = { ...this.#end, changedBy }
  }

  /** Starts anew under another id, when it cannot be known whether the last events were committed. */
  restart(): void {
    this.#end = this.#start()
  }

  /**
   * Takes the stored head, so that no other transaction can move it any more,
   * and returns it; `null` if there was none: then one is stored that
   * nothing leads to, in the way of whoever was about to.
   */
  async takeStored({ end: { writerId } }: Sealed, at: number): Promise<StoredHead | null> {
    // A change of the row: what only locks it is local to a node of a cluster. What was sent before does not know the name.
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

  /** `at`: when the head is written, unless an event says so. */
  #sealAs(ordinal: number, events: readonly AuditEvent[], at: number): SealedEvents {
    const { writerId } = this.#end
    const { rows, sequence, hash } = this.#rowsAfter(this.#end, events)
    const end = { writerId, ordinal, sequence, hash, changedBy: SERVER_ITSELF }
    const headAt = events.at(-1)?.createdAt ?? at
    return { statements: [...this.#inserts.of(rows), this.#headStatement(end, headAt)], end }
  }

  /** The rows of events behind a place, and the place of the last of them. */
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

/** A moment by both clocks: the one stands still while a machine is suspended, the other can be put back. */
function momentNow() {
  return { monotonic: performance.now(), wall: Date.now() }
}

/** In milliseconds, as the clock says that says more. */
function elapsedSince({ monotonic, wall }: ReturnType<typeof momentNow>): number {
  return Math.max(performance.now() - monotonic, Date.now() - wall)
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

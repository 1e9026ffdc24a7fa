import type { Compilable, Kysely, Updateable } from 'kysely'
import type { AuditProtection, Bookkeeping, UnderWay } from '../../contract/schema-state.ts'
import { DatabaseError, type DatabaseErrorKind, located } from '../core/database-error.ts'
import type { Dialect, MigrationSession, Statement } from '../core/dialect.ts'
import { recordStatements } from '../core/kysely.ts'
import { backOff } from '../core/retry.ts'
import type { Database, SchemaTable } from '../core/schema.ts'
import { readBookkeeping } from './bookkeeping.ts'
import type { MigrationStep } from './steps/migration-step.ts'

type Direction = UnderWay['direction']

/** How long servers may delay a statement by using its table. */
const TABLE_WAIT_MS = 60_000

/** Changes a schema step by step. Needs the bookkeeping tables and exclusive access. */
export class Migrator {
  readonly #dialect: Dialect
  readonly #session: MigrationSession
  readonly #db: Kysely<Database>
  readonly #steps: readonly MigrationStep[]
  readonly #journal: Journal

  constructor(dialect: Dialect, session: MigrationSession, db: Kysely<Database>, steps: readonly MigrationStep[]) {
    this.#dialect = dialect
    this.#session = session
    this.#db = db
    this.#steps = steps
    this.#journal = new Journal(db, session)
  }

  /** Completes an interrupted migration. Returns its name and direction. */
  async finish(): Promise<{ readonly name: string; readonly direction: Direction } | null> {
    await this.#journal.open()
    const { applied, underWay } = await this.#bookkeeping()
    const step = this.#steps.find(({ name }) => name === underWay?.migration)
    if (underWay === null || step === undefined) return null
    await this.#run(step, underWay.direction, applied, underWay)
    return { name: step.name, direction: underWay.direction }
  }

  /** Applies pending migrations. Returns their names. */
  async up(): Promise<readonly string[]> {
    const { applied } = await this.#bookkeeping()
    const pending = this.#steps.filter(({ name }) => !applied.includes(name))
    const before = [...applied]
    for (const step of pending) {
      await this.#run(step, 'up', before)
      before.push(step.name)
    }
    return pending.map(({ name }) => name)
  }

  /** Reverts the last migrations. Returns their names. */
  async down(count: number): Promise<readonly string[]> {
    const { applied } = await this.#bookkeeping()
    const last = this.#steps
      .filter(({ name }) => applied.includes(name))
      .toReversed()
      .slice(0, count)
    for (const [index, step] of last.entries()) {
      await this.#run(step, 'down', applied.slice(0, applied.length - index))
    }
    return last.map(({ name }) => name)
  }

  /** Applies the wanted protection of the audit log, or the previous one. Existing triggers stay. */
  async protectAudit(wanted: AuditProtection | null): Promise<void> {
    const { applied, auditProtection } = await this.#bookkeeping()
    const protection = wanted ?? auditProtection ?? 'triggers'
    const tables = this.#steps.flatMap(({ name, appendOnly }) => (applied.includes(name) ? (appendOnly ?? []) : []))
    if (tables.length === 0 || auditProtection === 'triggers' || auditProtection === protection) return
    if (protection === 'triggers') {
      for (const { table, key } of tables) {
        const statements = await this.#statements(async (db) => {
          await this.#session.types.dropAppendOnly(db, table)
          await this.#session.types.makeAppendOnly(db, table, key)
        })
        try {
          for (const statement of statements) await this.#execute(statement)
        } catch (error) {
          throw triggersRefused(error, table)
        }
      }
    }
    await this.#journal.protectAudit(protection)
  }

  /** Each statement is recorded before it runs. If the migrator dies, the last recorded one may or may not have run. */
  async #run(
    step: MigrationStep,
    direction: Direction,
    applied: readonly string[],
    left: UnderWay | null = null,
  ): Promise<void> {
    const others = this.#steps.filter(({ name }) => name !== step.name && applied.includes(name))
    if (left === null) await this.#journal.begin(step, direction, this.#serversFrom([...others, step]))
    const statements = await this.#statementsOf(step, direction)
    for (const [index, statement] of statements.entries()) {
      if (left !== null && index < left.statement) continue
      await this.#journal.attempt(index)
      const place = `${step.name}, statement ${index + 1} of ${statements.length}`
      try {
        await this.#execute(statement, place)
      } catch (error) {
        const wasTried = left?.tried === true && index === left.statement
        if (wasTried && this.#session.types.isAlreadyDone(error)) continue
        // If recording fails, too, the cause is the same, and the statement's error explains it better.
        if (!wasTried && !isLost(error)) await this.#journal.refused().catch(() => undefined)
        throw located(error, place)
      }
    }
    const standing = direction === 'up' ? [...others, step] : others
    await this.#journal.end(step, direction, this.#serversFrom(standing))
  }

  /** The newest migration that one of these requires servers to know. */
  #serversFrom(standing: readonly MigrationStep[]): string | null {
    const wanted = new Set(standing.map(({ serversFrom }) => serversFrom))
    return this.#steps.findLast(({ name }) => wanted.has(name))?.name ?? null
  }

  /** Running servers may block a statement. The migrator gives way to them between attempts. */
  async #execute(statement: Statement, place?: string): Promise<void> {
    const until = Date.now() + TABLE_WAIT_MS
    for (let attempts = 1; ; attempts += 1) {
      try {
        await this.#session.execute(statement, place)
        return
      } catch (error) {
        const isLocked = error instanceof DatabaseError && error.kind === 'conflict'
        if (!isLocked || Date.now() >= until) throw error
        await backOff(attempts, until, () => 0.5)
      }
    }
  }

  async #statementsOf({ appendOnly, migration }: MigrationStep, direction: Direction): Promise<readonly Statement[]> {
    const { types } = this.#session
    const { down, up } = migration(types)
    if (direction === 'up') return await this.#statements(up)
    return await this.#statements(async (db) => {
      if (appendOnly !== undefined) await types.dropAppendOnly(db, appendOnly.table)
      await down?.(db)
    })
  }

  #statements(write: (db: Kysely<unknown>) => Promise<void>): Promise<readonly Statement[]> {
    return recordStatements(this.#dialect, write)
  }

  #bookkeeping(): Promise<Bookkeeping> {
    return readBookkeeping(this.#db)
  }
}

function isLost(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.kind === 'lost'
}

/** Kinds of errors that do not depend on the statement. */
const TRANSIENT: ReadonlySet<DatabaseErrorKind> = new Set(['lost', 'busy', 'conflict'])

function triggersRefused(error: unknown, table: string): unknown {
  if (!(error instanceof DatabaseError) || TRANSIENT.has(error.kind)) return error
  return new DatabaseError(
    'broken',
    `the database refuses the triggers that keep ${table} append-only (${error.message}): allow the migrating user to create them, or run \`qscope migrate up --audit=grants\` and give the server's user no UPDATE and DELETE on it`,
    error.cause,
  )
}

const SCHEMA_ROW = 1

/** Records the progress of a migration. Where schema changes commit one by one, the next migrator continues an interrupted one. */
class Journal {
  readonly #db: Kysely<Database>
  readonly #session: Pick<MigrationSession, 'execute' | 'transaction'>

  constructor(db: Kysely<Database>, session: Pick<MigrationSession, 'execute' | 'transaction'>) {
    this.#db = db
    this.#session = session
  }

  /** Creates the row that holds the progress. */
  async open(): Promise<void> {
    const row = await this.#db.selectFrom('qscope_schema').select('id').where('id', '=', SCHEMA_ROW).executeTakeFirst()
    if (row === undefined) {
      await this.#db.insertInto('qscope_schema').values({ id: SCHEMA_ROW, updated_at: Date.now() }).execute()
    }
  }

  /** From here on, servers that do not know the coming schema stop serving. */
  async begin({ name }: MigrationStep, direction: Direction, serversFrom: string | null): Promise<void> {
    const running = { running_migration: name, running_direction: direction, running_statement: 0, running_tried: 0 }
    await this.#session.transaction(async () => {
      if (direction === 'down') await this.#run(this.#db.deleteFrom('qscope_migrations').where('name', '=', name))
      await this.#write({ ...running, servers_from: serversFrom })
    })
  }

  /** `statement` statements have run. The next one is about to run. */
  async attempt(statement: number): Promise<void> {
    await this.#write({ running_statement: statement, running_tried: 1 })
  }

  /** The statement was rejected, so it did not run. */
  async refused(): Promise<void> {
    await this.#write({ running_tried: 0 })
  }

  async end({ name, appendOnly }: MigrationStep, direction: Direction, serversFrom: string | null): Promise<void> {
    await this.#session.transaction(async () => {
      if (direction === 'up') {
        await this.#run(this.#db.insertInto('qscope_migrations').values({ name, applied_at: Date.now() }))
      }
      // The triggers are now missing, or dropped with their table. Privileges are as granted.
      if (appendOnly !== undefined) await this.#forgetTriggers()
      await this.#write({
        servers_from: serversFrom,
        running_migration: null,
        running_direction: null,
        running_statement: null,
        running_tried: null,
      })
    })
  }

  async protectAudit(protection: AuditProtection): Promise<void> {
    await this.#write({ audit_protection: protection })
  }

  async #forgetTriggers(): Promise<void> {
    await this.#run(
      this.#db.updateTable('qscope_schema').set({ audit_protection: null }).where('audit_protection', '=', 'triggers'),
    )
  }

  async #write(values: Updateable<SchemaTable>): Promise<void> {
    await this.#run(
      this.#db
        .updateTable('qscope_schema')
        .set({ ...values, updated_at: Date.now() })
        .where('id', '=', SCHEMA_ROW),
    )
  }

  async #run(query: Compilable): Promise<void> {
    await this.#session.execute(query.compile(), 'the journal of the migrations')
  }
}

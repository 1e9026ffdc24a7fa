import type { Kysely } from 'kysely'
import type { MigrationOutcome, Migrations, Seed, UpOptions } from '../../contract/migrations.ts'
import type { AuditProtection, SchemaState } from '../../contract/schema-state.ts'
import { AuditChain } from '../audit/chain.ts'
import { DatabaseError, withStoreErrors } from '../core/database-error.ts'
import type { Dialect, MigrationSession } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import type { Database } from '../core/schema.ts'
import { LastRowsCollector } from '../tables/last-rows.ts'
import { transactionStores } from '../tables/stores.ts'
import {
  createBookkeeping,
  dropBookkeeping,
  NO_BOOKKEEPING,
  newerSchema,
  readBookkeeping,
  schemaStateOf,
} from './bookkeeping.ts'
import { Migrator } from './migrator.ts'
import { MIGRATIONS } from './steps/all.ts'
import type { MigrationStep } from './steps/migration-step.ts'

const BOOKKEEPING_TABLES = Object.freeze(['qscope_migrations', 'qscope_schema'])

/** Changes the schema of a database in a session of its own. Throws only `StoreError`. */
export class DatabaseMigrations implements Migrations {
  readonly #session: MigrationSession
  readonly #steps: readonly MigrationStep[]
  readonly #db: Kysely<Database>
  readonly #anySchema: Kysely<unknown>
  readonly #migrator: Migrator
  readonly #now: Dialect['now']

  constructor(dialect: Dialect, session: MigrationSession, steps: readonly MigrationStep[] = MIGRATIONS) {
    this.#session = session
    this.#steps = steps
    this.#now = dialect.now
    this.#db = kyselyOver<Database>(dialect.kysely, session)
    this.#anySchema = kyselyOver<unknown>(dialect.kysely, session)
    this.#migrator = new Migrator(dialect, session, this.#db, steps)
  }

  async up({ seed, audit }: UpOptions = {}): Promise<MigrationOutcome> {
    return await this.#exclusively(async () => {
      const migrations = await this.#bringUp(audit ?? null)
      return { migrations, seeded: seed === undefined ? false : await this.#seedIfNew(seed) }
    })
  }

  async down({ all = false }: { readonly all?: boolean } = {}): Promise<MigrationOutcome> {
    return await this.#exclusively(async () => ({ migrations: await this.#takeDown(all), seeded: false }))
  }

  async status(): Promise<SchemaState> {
    return await withStoreErrors(() => this.#status())
  }

  async isEmpty(): Promise<boolean> {
    return await withStoreErrors(async () => (await this.#tables()).length === 0)
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    return await withStoreErrors(() => this.#session.exclusively(work))
  }

  async #status(): Promise<SchemaState> {
    const bookkeeping = (await this.#hasBookkeeping()) ? await readBookkeeping(this.#db) : NO_BOOKKEEPING
    return schemaStateOf(bookkeeping, this.#steps)
  }

  async #hasBookkeeping(): Promise<boolean> {
    const present = await this.#tables()
    return BOOKKEEPING_TABLES.every((name) => present.includes(name))
  }

  async #tables(): Promise<readonly string[]> {
    const { rows } = await this.#session.types.tableNames.execute(this.#db)
    return rows.map(({ name }) => name)
  }

  /** If a newer version has changed the schema, this version has nothing to apply. */
  async #bringUp(audit: AuditProtection | null): Promise<readonly string[]> {
    const { problem, unknown } = await this.#status()
    if (unknown.length > 0) {
      if (problem !== null) throw new DatabaseError('broken', problem)
      return []
    }
    if (!(await this.#hasBookkeeping())) await createBookkeeping(this.#anySchema, this.#session.types)
    const finished = await this.#migrator.finish()
    const migrations = await this.#migrator.up()
    await this.#migrator.protectAudit(audit)
    return finished?.direction === 'up' ? [finished.name, ...migrations] : migrations
  }

  async #takeDown(all: boolean): Promise<readonly string[]> {
    const { unknown } = await this.#status()
    if (unknown.length > 0) throw new DatabaseError('broken', newerSchema(unknown))
    if (!(await this.#hasBookkeeping())) return []
    const finished = await this.#migrator.finish()
    const undone = finished?.direction === 'down' ? [finished.name] : []
    if (!all) return undone.length > 0 ? undone : await this.#migrator.down(1)
    const rest = await this.#migrator.down(this.#steps.length)
    await dropBookkeeping(this.#anySchema)
    return [...undone, ...rest]
  }

  /** Seeds a database that has never had a client. Returns whether it did. */
  async #seedIfNew(seed: Seed): Promise<boolean> {
    const someone = await this.#db.selectFrom('oauth_clients').select('client_id').limit(1).executeTakeFirst()
    if (someone !== undefined) return false
    await this.#session.transaction(async () => {
      const last = new LastRowsCollector()
      await seed.fill(transactionStores(this.#db, last))
      const { events, ended } = last
      if (ended.length > 0) throw new Error('a new database has nothing that could end')
      const chain = new AuditChain(this.#db, { seal: seed.seal, newWriterId: seed.newId, now: this.#now })
      const { statements } = await chain.sealInside(events)
      for (const statement of statements) await this.#session.execute(statement)
    })
    return true
  }
}

/** For an in-memory database, which already has its schema and cannot lose it. */
export class InMemoryMigrations implements Migrations {
  readonly #steps: readonly MigrationStep[]

  constructor(steps: readonly MigrationStep[]) {
    this.#steps = steps
  }

  async up(): Promise<MigrationOutcome> {
    return NOTHING_DONE
  }

  async down(): Promise<MigrationOutcome> {
    return NOTHING_DONE
  }

  async status(): Promise<SchemaState> {
    const applied = this.#steps.map((step) => step.name)
    return schemaStateOf({ ...NO_BOOKKEEPING, applied, auditProtection: 'triggers' }, this.#steps)
  }

  async isEmpty(): Promise<boolean> {
    return false
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }
}

const NOTHING_DONE: MigrationOutcome = Object.freeze({ migrations: [], seeded: false })

import { Migrator, NO_MIGRATIONS } from 'kysely/migration'
import type { AuditEvent } from '../../domain/audit-event.ts'
import type { AuditSeal, TransactionStores } from '../contract.ts'
import { AuditChain } from './audit-chain.ts'
import type { Dialect, MigrationSession } from './dialect.ts'
import { kyselyOver } from './kysely.ts'
import { migrationsFor } from './migrations/all.ts'
import { appliedMigrations, type SchemaState, schemaProblem, schemaStateOf } from './schema-state.ts'
import { transactionStores } from './transaction-stores.ts'
import { DatabaseTrouble, storeError } from './trouble.ts'

const MIGRATIONS_TABLE = 'qscope_migrations'
const LOCK_TABLE = 'qscope_migration_lock'

/** What is written into a database that holds no client yet. */
export interface Seed {
  readonly seal: AuditSeal
  /** A fresh UUID: names the chain of the seed's audit events. */
  readonly newId: () => string
  readonly fill: (stores: TransactionStores) => Promise<void>
}

export interface MigrationOutcome {
  /** Names of the migrations applied or undone, in the order it was done. */
  readonly migrations: readonly string[]
  readonly seeded: boolean
}

/** The schema of one database, for the commands that change it. */
export interface Migrations {
  /**
   * Applies what is pending. Of any number of concurrent calls, in any number
   * of processes, one does the work and the others find it done. `seed` is
   * called if there has never been a client. On SQLite everything, seed
   * included, is one transaction.
   */
  up(options?: { readonly seed?: Seed }): Promise<MigrationOutcome>
  /** Undoes the last migration, or all; the data in what is dropped is lost. */
  down(options?: { readonly all?: boolean }): Promise<MigrationOutcome>
  status(): Promise<SchemaState>
  /** Whether the database has no tables at all. */
  isEmpty(): Promise<boolean>
  close(): Promise<void>
}

export function createMigrations(dialect: Dialect, session: MigrationSession): Migrations {
  const db = kyselyOver(dialect.kysely, session.execute)
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => migrationsFor(session.types) },
    migrationTableName: MIGRATIONS_TABLE,
    migrationLockTableName: LOCK_TABLE,
    // The session's own transaction spans all migrations where a schema can be rolled back.
    disableTransactions: true,
    nameComparator: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  })

  async function tables(): Promise<readonly string[]> {
    return (await db.introspection.getTables({ withInternalKyselyTables: true })).map((table) => table.name)
  }

  async function status(): Promise<SchemaState> {
    return schemaStateOf((await tables()).includes(MIGRATIONS_TABLE) ? await appliedMigrations(db) : [])
  }

  async function migrate(run: () => ReturnType<Migrator['migrateUp']>): Promise<readonly string[]> {
    const { error, results } = await run()
    if (error !== undefined) throw error
    return (results ?? []).map((result) => result.migrationName)
  }

  async function plant(seed: Seed): Promise<boolean> {
    const someone = await db.selectFrom('oauth_clients').select('client_id').limit(1).executeTakeFirst()
    if (someone !== undefined) return false
    await session.transaction(async () => {
      const events: AuditEvent[] = []
      await seed.fill(transactionStores(db, (event) => events.push(event)))
      const chain = new AuditChain(db, seed.seal, seed.newId)
      for (const statement of chain.seal(events).statements) await session.execute(statement)
    })
    return true
  }

  async function refuseNewer(): Promise<void> {
    const state = await status()
    if (state.unknown.length > 0) throw new DatabaseTrouble('broken', schemaProblem(state) ?? '')
  }

  return {
    up: (options) =>
      withStoreErrors(() =>
        session.exclusively(async () => {
          await refuseNewer()
          const migrations = await migrate(() => migrator.migrateToLatest())
          const seeded = options?.seed === undefined ? false : await plant(options.seed)
          return { migrations, seeded }
        }),
      ),
    down: (options) =>
      withStoreErrors(() =>
        session.exclusively(async () => {
          await refuseNewer()
          const migrations = await migrate(() =>
            options?.all === true ? migrator.migrateTo(NO_MIGRATIONS) : migrator.migrateDown(),
          )
          return { migrations, seeded: false }
        }),
      ),
    status: () => withStoreErrors(status),
    isEmpty: () => withStoreErrors(async () => (await tables()).length === 0),
    close: () => session.close(),
  }
}

async function withStoreErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(error)
  }
}

import type { AuditEvent } from '../../../domain/audit-event.ts'
import type { AuditSeal } from '../../contract/audit-log.ts'
import type { TransactionStores } from '../../contract/backend.ts'
import { AuditChain } from '../audit/chain.ts'
import { DatabaseError, withStoreErrors } from '../core/database-error.ts'
import type { Dialect, MigrationSession } from '../core/dialect.ts'
import { kyselyOver } from '../core/kysely.ts'
import { transactionStores } from '../tables/stores.ts'
import {
  type AuditProtection,
  createBookkeeping,
  dropBookkeeping,
  NO_BOOKKEEPING,
  readBookkeeping,
} from './bookkeeping.ts'
import type { MigrationStep } from './migration-step.ts'
import { Migrator } from './migrator.ts'
import { newerSchema, type SchemaState, schemaStateOf } from './schema-state.ts'
import { MIGRATIONS } from './steps/all.ts'

const BOOKKEEPING_TABLES = Object.freeze(['qscope_migrations', 'qscope_schema'])

/** What is written into a database that holds no client yet. */
export interface Seed {
  readonly seal: AuditSeal
  /** A fresh UUID: names the chain of the seed's audit events. */
  readonly newId: () => string
  readonly fill: (stores: TransactionStores) => Promise<void>
}

export interface UpOptions {
  readonly seed?: Seed
  /** Triggers unless told, or recorded, otherwise. */
  readonly audit?: AuditProtection
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
   * called if there has never been a client. On an embedded database everything,
   * seed included, is one transaction; elsewhere the next call goes on where this
   * one was interrupted.
   */
  up(options?: UpOptions): Promise<MigrationOutcome>
  /** Undoes the last migration, or all; the data in what is dropped is lost. */
  down(options?: { readonly all?: boolean }): Promise<MigrationOutcome>
  status(): Promise<SchemaState>
  /** Whether the database has no tables at all. */
  isEmpty(): Promise<boolean>
  close(): Promise<void>
}

export function createMigrations(
  dialect: Dialect,
  session: MigrationSession,
  steps: readonly MigrationStep[] = MIGRATIONS,
): Migrations {
  const { types } = session
  const db = kyselyOver(dialect.kysely, session.execute)
  const tablesOf = kyselyOver<unknown>(dialect.kysely, session.execute)
  const migrator = new Migrator(dialect, session, db, steps)

  async function tables(): Promise<readonly string[]> {
    const { rows } = await types.tableNames.execute(db)
    return rows.map(({ name }) => name)
  }

  async function hasBookkeeping(): Promise<boolean> {
    const present = await tables()
    return BOOKKEEPING_TABLES.every((name) => present.includes(name))
  }

  async function status(): Promise<SchemaState> {
    return schemaStateOf((await hasBookkeeping()) ? await readBookkeeping(db) : NO_BOOKKEEPING, steps)
  }

  async function plant(seed: Seed): Promise<boolean> {
    const someone = await db.selectFrom('oauth_clients').select('client_id').limit(1).executeTakeFirst()
    if (someone !== undefined) return false
    await session.transaction(async () => {
      const events: AuditEvent[] = []
      await seed.fill(transactionStores(db, (event) => events.push(event)))
      const chain = new AuditChain(db, seed.seal, seed.newId)
      const { statements } = await chain.sealInside(events)
      for (const statement of statements) await session.execute(statement)
    })
    return true
  }

  /** A schema that a newer version has changed has all that this one can apply. */
  async function bringUp(audit: AuditProtection | null): Promise<readonly string[]> {
    const { problem, unknown } = await status()
    if (unknown.length > 0) {
      if (problem !== null) throw new DatabaseError('broken', problem)
      return []
    }
    if (!(await hasBookkeeping())) await createBookkeeping(tablesOf, types)
    const finished = await migrator.finish()
    const migrations = await migrator.up()
    await migrator.protectAudit(audit)
    return finished?.direction === 'up' ? [finished.name, ...migrations] : migrations
  }

  async function takeDown(all: boolean): Promise<readonly string[]> {
    const { unknown } = await status()
    if (unknown.length > 0) throw new DatabaseError('broken', newerSchema(unknown))
    if (!(await hasBookkeeping())) return []
    const finished = await migrator.finish()
    const undone = finished?.direction === 'down' ? [finished.name] : []
    if (!all) return undone.length > 0 ? undone : await migrator.down(1)
    const rest = await migrator.down(steps.length)
    await dropBookkeeping(tablesOf)
    return [...undone, ...rest]
  }

  const exclusively = <T>(work: () => Promise<T>) => withStoreErrors(() => session.exclusively(work))
  return {
    up: ({ seed, audit } = {}) =>
      exclusively(async () => {
        const migrations = await bringUp(audit ?? null)
        return { migrations, seeded: seed === undefined ? false : await plant(seed) }
      }),
    down: ({ all } = {}) => exclusively(async () => ({ migrations: await takeDown(all ?? false), seeded: false })),
    status: () => withStoreErrors(status),
    isEmpty: () => withStoreErrors(async () => (await tables()).length === 0),
    close: () => session.close(),
  }
}

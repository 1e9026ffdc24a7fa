import type { AuditSeal } from './audit-log.ts'
import type { TransactionStores } from './backend.ts'
import type { AuditProtection, SchemaState } from './schema-state.ts'

/** The data for a database that has no client yet. */
export interface Seed {
  readonly seal: AuditSeal
  /** A fresh UUID, used as the id of the chain of the seed's audit events. */
  readonly newId: () => string
  readonly fill: (stores: TransactionStores) => Promise<void>
}

export interface UpOptions {
  readonly seed?: Seed
  /** Default: the recorded protection, or triggers if there is none. */
  readonly audit?: AuditProtection
}

export interface MigrationOutcome {
  /** Names of the migrations that were applied or undone, in this order. */
  readonly migrations: readonly string[]
  readonly seeded: boolean
}

/** Changes the schema of one database. */
export interface Migrations {
  /**
   * Applies the pending migrations. Of any number of concurrent calls, in any number of processes, one does the work, and the
   * others find it done. `seed` is called if there has never been a client. On an embedded database, everything including the
   * seed is one transaction. On others, the next call continues where an interrupted one stopped.
   */
  up(options?: UpOptions): Promise<MigrationOutcome>
  /** Undoes the last migration, or all. The data in dropped tables and columns is lost. */
  down(options?: { readonly all?: boolean }): Promise<MigrationOutcome>
  status(): Promise<SchemaState>
  /** Whether the database has no tables at all. */
  isEmpty(): Promise<boolean>
  close(): Promise<void>
}

import type { AuditSeal } from './audit-log.ts'
import type { TransactionStores } from './backend.ts'
import type { AuditProtection, SchemaState } from './schema-state.ts'

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

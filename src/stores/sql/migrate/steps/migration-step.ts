import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** One step of the schema. */
export interface MigrationStep {
  /** `NNNN_what_it_does`, in the order of the steps. */
  readonly name: string
  /**
   * The newest migration that a server must know to run on the schema from this step on. Its own name stops all servers that
   * do not know this step. An earlier name stops servers of the version before the last. `null`: all servers that could run
   * before can continue, because the step only adds what they need not know.
   */
  readonly serversFrom: string | null
  /** A table of the step whose rows the database must protect against changes. */
  readonly appendOnly?: AppendOnlyTable
  /**
   * The step's statements, for all databases. They are recorded before they run, so they must not depend on the results of
   * others. A statement that changes rows may run twice.
   */
  readonly migration: (types: ColumnTypes) => Migration
}

export interface AppendOnlyTable {
  readonly table: string
  readonly key: string
}

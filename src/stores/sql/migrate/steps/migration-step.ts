import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from '../../core/dialect.ts'

/** One step of the schema. */
export interface MigrationStep {
  /** `NNNN_what_it_does`, in the order of the steps. */
  readonly name: string
  /**
   * The newest migration that a server must know to work on the schema from here
   * on: its own name stops all servers that do not know it, an earlier one those
   * of the version before the last. `null`: all can go on that could before, as
   * it only adds what they need not know of.
   */
  readonly serversFrom: string | null
  /** A table of it whose rows the database itself is to keep as they are. */
  readonly appendOnly?: AppendOnlyTable
  /**
   * Its statements, once for all databases. They are written down before they are
   * run, so none may ask what another one answered; one that changes rows may be
   * run twice.
   */
  readonly migration: (types: ColumnTypes) => Migration
}

export interface AppendOnlyTable {
  readonly table: string
  readonly key: string
}

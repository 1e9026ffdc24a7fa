export const AUDIT_PROTECTIONS = Object.freeze(['triggers', 'grants'] as const)

/** The protection of the audit log's rows: triggers of the database, or missing privileges of the server's user. */
export type AuditProtection = (typeof AUDIT_PROTECTIONS)[number]

export const MIGRATION_DIRECTIONS = Object.freeze(['up', 'down'] as const)

/** A migration that was begun. It is running, or was interrupted. */
export interface UnderWay {
  readonly migration: string
  readonly direction: (typeof MIGRATION_DIRECTIONS)[number]
  /** The number of statements that were run. */
  readonly statement: number
  /** Whether the next statement may have been run as well, because its result was lost. */
  readonly tried: boolean
}

/** The state of the schema as the database records it. */
export interface Bookkeeping {
  readonly applied: readonly string[]
  /** The newest migration that a server must know to work on this database. */
  readonly serversFrom: string | null
  readonly auditProtection: AuditProtection | null
  readonly underWay: UnderWay | null
}

/** The schema of a database compared with the schema that this version expects. */
export interface SchemaState extends Bookkeeping {
  /** Migrations that this version knows and that are not applied: the schema is too old. */
  readonly pending: readonly string[]
  /** Migrations that are applied, or are being applied, and that this version does not know: the schema is newer. */
  readonly unknown: readonly string[]
  /** Why a server of this version does not work on the database, and the remedy, in one line; `null`: it works. */
  readonly problem: string | null
}

export const AUDIT_PROTECTIONS = Object.freeze(['triggers', 'grants'] as const)

/** What keeps the rows of the audit log as they are: triggers of the database, or that the server's user lacks the grants. */
export type AuditProtection = (typeof AUDIT_PROTECTIONS)[number]

export const MIGRATION_DIRECTIONS = Object.freeze(['up', 'down'] as const)

/** A migration that was begun: somebody is at it, or was interrupted. */
export interface UnderWay {
  readonly migration: string
  readonly direction: (typeof MIGRATION_DIRECTIONS)[number]
  /** How many were run. */
  readonly statement: number
  /** Whether the next one may have been run as well: nobody is left who was told. */
  readonly tried: boolean
}

/** What a database tells of its own schema. */
export interface Bookkeeping {
  readonly applied: readonly string[]
  /** The newest migration that a server must know to work here. */
  readonly serversFrom: string | null
  readonly auditProtection: AuditProtection | null
  readonly underWay: UnderWay | null
}

/** Where the schema of a database stands against what this version was built for. */
export interface SchemaState extends Bookkeeping {
  /** Known here, not applied there: the schema is too old. */
  readonly pending: readonly string[]
  /** Applied there, or about to be, and not known here: the schema is newer. */
  readonly unknown: readonly string[]
  /** Why a server of this version does not work on it, and what to do, in one line; `null`: it does. */
  readonly problem: string | null
}

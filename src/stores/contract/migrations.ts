import type { AuditSeal } from './audit-log.ts'
import type { TransactionStores } from './backend.ts'

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

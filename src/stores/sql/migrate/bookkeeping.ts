import type { Kysely } from 'kysely'
import {
  AUDIT_PROTECTIONS,
  type Bookkeeping,
  MIGRATION_DIRECTIONS,
  type SchemaState,
} from '../../contract/schema-state.ts'
import type { ColumnTypes } from '../core/dialect.ts'
import { flag, integer, oneOf } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'
import type { MigrationStep } from './steps/migration-step.ts'

export const NO_BOOKKEEPING: Bookkeeping = Object.freeze({
  applied: Object.freeze([]),
  serversFrom: null,
  auditProtection: null,
  underWay: null,
})

/** The tables must exist. The names are read before the row, so the row is never older. */
export async function readBookkeeping(db: Kysely<Database>): Promise<Bookkeeping> {
  const names = await db.selectFrom('qscope_migrations').select('name').orderBy('name').execute()
  const row = await db
    .selectFrom('qscope_schema')
    .select(['servers_from', 'audit_protection', 'running_migration', 'running_direction', 'running_statement'])
    .select('running_tried')
    .where('id', '=', 1)
    .executeTakeFirst()
  const { running_migration: migration, running_direction: direction } = row ?? {}
  return {
    applied: names.map(({ name }) => name),
    serversFrom: row?.servers_from ?? null,
    auditProtection: row?.audit_protection ? oneOf(row.audit_protection, AUDIT_PROTECTIONS, 'audit_protection') : null,
    underWay:
      migration && direction
        ? {
            migration,
            direction: oneOf(direction, MIGRATION_DIRECTIONS, 'running_direction'),
            statement: integer(row?.running_statement, 'running_statement'),
            tried: flag(row?.running_tried, 'running_tried'),
          }
        : null,
  }
}

/** Creates missing tables, also after an interrupted attempt. */
export async function createBookkeeping(db: Pick<Kysely<unknown>, 'schema'>, types: ColumnTypes): Promise<void> {
  const { epochMs } = types
  const name = types.identifier(64)
  await types
    .table(db.schema.createTable('qscope_migrations').ifNotExists())
    .addColumn('name', name, (column) => column.notNull().primaryKey())
    .addColumn('applied_at', epochMs, (column) => column.notNull())
    .execute()
  await types
    .table(db.schema.createTable('qscope_schema').ifNotExists())
    .addColumn('id', types.integer, (column) => column.notNull().primaryKey())
    .addColumn('servers_from', name)
    .addColumn('audit_protection', types.identifier(16))
    .addColumn('running_migration', name)
    .addColumn('running_direction', types.identifier(16))
    .addColumn('running_statement', types.integer)
    .addColumn('running_tried', types.flag)
    .addColumn('updated_at', epochMs, (column) => column.notNull())
    .execute()
}

export async function dropBookkeeping(db: Pick<Kysely<unknown>, 'schema'>): Promise<void> {
  await db.schema.dropTable('qscope_schema').execute()
  await db.schema.dropTable('qscope_migrations').execute()
}

/** Compares the schema that a database reports with the schema that this version expects. */
export function schemaStateOf(bookkeeping: Bookkeeping, known: readonly MigrationStep[]): SchemaState {
  const { applied, auditProtection, serversFrom, underWay } = bookkeeping
  const isKnown = (name: string) => known.some((step) => step.name === name)
  const pending = known.map((step) => step.name).filter((name) => !applied.includes(name))
  const unknown = [...applied, ...(underWay === null ? [] : [underWay.migration])].filter((name) => !isKnown(name))
  const isUnprotected = auditProtection === null && known.some((step) => step.appendOnly !== undefined)

  function problem(): string | null {
    if (unknown.length > 0 && (pending.length > 0 || (serversFrom !== null && !isKnown(serversFrom)))) {
      return newerSchema(unknown)
    }
    if (pending.length > 0) {
      return `the database schema is older than this server (it lacks ${pending.join(', ')}): run \`qscope migrate up\``
    }
    return isUnprotected ? 'nothing keeps the audit log append-only yet: run `qscope migrate up`' : null
  }
  return Object.freeze({ ...bookkeeping, pending, unknown, problem: problem() })
}

export function newerSchema(unknown: readonly string[]): string {
  return `the database schema is newer than this server (it has ${unknown.join(', ')}): run a newer server`
}

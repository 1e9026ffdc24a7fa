import type { Kysely } from 'kysely'
import { AUDIT_PROTECTIONS, type Bookkeeping, MIGRATION_DIRECTIONS } from '../../contract/migrations.ts'
import type { ColumnTypes } from '../core/dialect.ts'
import { flag, integer, oneOf } from '../core/rows.ts'
import type { Database } from '../core/schema.ts'

export const NO_BOOKKEEPING: Bookkeeping = Object.freeze({
  applied: Object.freeze([]),
  serversFrom: null,
  auditProtection: null,
  underWay: null,
})

/** The tables must exist. The names are read first: the row is then never older than they are. */
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

/** Makes the tables, where they are not there yet, even if another attempt was interrupted. */
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

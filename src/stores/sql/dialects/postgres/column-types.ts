import { type CreateIndexBuilder, type Kysely, sql } from 'kysely'
import { DatabaseError } from '../../core/database-error.ts'
import type { ColumnTypes } from '../../core/dialect.ts'

/** The collation "C" compares bytes, whatever the database's default. */
export const postgresTypes: ColumnTypes = Object.freeze({
  identifier: (length: number) => sql`varchar(${sql.lit(length)}) collate "C"`,
  text: sql`text collate "C"`,
  hash: sql`bytea`,
  key: sql`bytea`,
  bytes: sql`bytea`,
  epochMs: sql`bigint`,
  integer: sql`integer`,
  flag: sql`smallint`,
  table: (builder) => builder,
  ofPresent: <C>(builder: CreateIndexBuilder<C>, column: C & string) =>
    builder.where(sql.ref(column), 'is not', null) as CreateIndexBuilder<C>,
  dropIndex: (db, _table, name) => db.schema.dropIndex(name).execute(),
  makeAppendOnly: async (db: Kysely<unknown>, table: string) => {
    const refuse = sql.ref(`${table}_refuse_change`)
    await sql`create function ${refuse}() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'restrict_violation';
end
$$`.execute(db)
    await sql`create trigger ${sql.ref(`${table}_no_change`)} before update or delete or truncate on ${sql.table(table)}
for each statement execute function ${refuse}()`.execute(db)
  },
  dropAppendOnly: async (db: Kysely<unknown>, table: string) => {
    await sql`drop trigger if exists ${sql.ref(`${table}_no_change`)} on ${sql.table(table)}`.execute(db)
    await sql`drop function if exists ${sql.ref(`${table}_refuse_change`)}()`.execute(db)
  },
  tableNames: sql`select table_name as name from information_schema.tables where table_schema = current_schema()`,
  isAlreadyDone,
} satisfies ColumnTypes)

/** The errors of schema changes that are already done. */
const ALREADY_DONE: ReadonlySet<unknown> = new Set([
  '42P07', // table or index exists
  '42701', // column exists
  '42710', // constraint or trigger exists
  '42723', // function exists
  '42P01', // no such table, to drop or rename
  '42703', // no such column, to drop or rename
  '42704', // no such index
])

function isAlreadyDone(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || !(error.cause instanceof Error)) return false
  return 'code' in error.cause && ALREADY_DONE.has(error.cause.code)
}

import { type CreateIndexBuilder, type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../../core/dialect.ts'
import { isAlreadyDone } from './already-done.ts'

/** The collation "C" compares bytes, whatever the database was created with. */
export const postgresTypes: ColumnTypes = Object.freeze({
  identifier: (length: number) => sql`varchar(${sql.lit(length)}) collate "C"`,
  text: sql`text collate "C"`,
  hash: sql`bytea`,
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

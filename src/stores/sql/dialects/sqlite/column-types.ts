import { type CreateIndexBuilder, type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../../core/dialect.ts'

/** SQLite ignores lengths, compares text byte by byte, and checks types only in STRICT tables. */
export const sqliteTypes: ColumnTypes = Object.freeze({
  identifier: () => sql`text`,
  text: sql`text`,
  hash: sql`blob`,
  key: sql`blob`,
  bytes: sql`blob`,
  epochMs: sql`integer`,
  integer: sql`integer`,
  flag: sql`integer`,
  table: (builder) => builder.modifyEnd(sql`strict`),
  ofPresent: <C>(builder: CreateIndexBuilder<C>, column: C & string) =>
    builder.where(sql.ref(column), 'is not', null) as CreateIndexBuilder<C>,
  dropIndex: (db, _table, name) => db.schema.dropIndex(name).execute(),
  makeAppendOnly: async (db: Kysely<unknown>, table: string, key: string) => {
    for (const change of ['update', 'delete']) {
      await sql`create trigger ${sql.ref(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
begin
  select raise(abort, 'the audit log is append-only');
end`.execute(db)
    }
    // INSERT OR REPLACE deletes without firing the trigger above.
    await sql`create trigger ${sql.ref(`${table}_no_replace`)} before insert on ${sql.table(table)}
when exists (select 1 from ${sql.table(table)} where ${sql.ref(key)} = new.${sql.ref(key)}
  or (writer_id = new.writer_id and sequence = new.sequence))
begin
  select raise(abort, 'the audit log is append-only');
end`.execute(db)
  },
  dropAppendOnly: async (db: Kysely<unknown>, table: string) => {
    for (const change of ['update', 'delete', 'replace']) {
      await sql`drop trigger if exists ${sql.ref(`${table}_no_${change}`)}`.execute(db)
    }
  },
  tableNames: sql`select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'`,
  isAlreadyDone: () => false,
} satisfies ColumnTypes)

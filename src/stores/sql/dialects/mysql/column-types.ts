import { type Kysely, sql } from 'kysely'
import type { ColumnTypes } from '../../core/dialect.ts'
import { isAlreadyDone } from './already-done.ts'

/**
 * MySQL's default collations take `Foo` and `foo` for one key, and most binary
 * ones ignore trailing spaces; `collation` is one that compares bytes.
 */
export function mysqlTypes(collation: string): ColumnTypes {
  return Object.freeze({
    identifier: (length: number) => sql`varchar(${sql.lit(length)})`,
    text: sql`mediumtext`,
    hash: sql`binary(32)`,
    bytes: sql`blob`,
    epochMs: sql`bigint`,
    integer: sql`integer`,
    flag: sql`smallint`,
    table: (builder) =>
      builder.modifyEnd(sql`engine = InnoDB default character set utf8mb4 collate ${sql.raw(collation)}`),
    // Every row is in every index here.
    ofPresent: (builder) => builder,
    dropIndex: (db, table, name) => db.schema.dropIndex(name).on(table).execute(),
    makeAppendOnly: async (db: Kysely<unknown>, table: string) => {
      for (const change of ['update', 'delete']) {
        await sql`create trigger ${sql.table(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
for each row signal sqlstate '45000' set message_text = 'the audit log is append-only'`.execute(db)
      }
    },
    dropAppendOnly: async (db: Kysely<unknown>, table: string) => {
      for (const change of ['update', 'delete']) {
        await sql`drop trigger if exists ${sql.table(`${table}_no_${change}`)}`.execute(db)
      }
    },
    tableNames: sql`select table_name as name from information_schema.tables where table_schema = database()`,
    isAlreadyDone,
  } satisfies ColumnTypes)
}

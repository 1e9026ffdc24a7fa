import { type Kysely, sql } from 'kysely'
import { DatabaseError } from '../../core/database-error.ts'
import type { ColumnTypes } from '../../core/dialect.ts'

/**
 * MySQL's default collations treat `Foo` and `foo` as one key, and most binary ones ignore trailing spaces. `collation` must
 * compare bytes.
 */
export function mysqlTypes(collation: string): ColumnTypes {
  return Object.freeze({
    identifier: (length: number) => sql`varchar(${sql.lit(length)})`,
    text: sql`mediumtext`,
    hash: sql`binary(32)`,
    key: sql`binary(16)`,
    bytes: sql`blob`,
    epochMs: sql`bigint`,
    integer: sql`integer`,
    flag: sql`smallint`,
    table: (builder) =>
      builder.modifyEnd(sql`engine = InnoDB default character set utf8mb4 collate ${sql.raw(collation)}`),
    // MySQL has no partial indexes: every row is in every index.
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

/** The errors of schema changes that are already done. */
const ALREADY_DONE: ReadonlySet<unknown> = new Set([
  1050, // table exists
  1051, // no such table, to drop
  1146, // no such table, to rename
  1054, // no such column, to rename
  1060, // duplicate column
  1061, // duplicate key name
  1091, // cannot drop what is not there
  1359, // trigger exists
  1360, // trigger does not exist
  1826, // duplicate foreign key
])

function isAlreadyDone(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || !(error.cause instanceof Error)) return false
  return 'errno' in error.cause && ALREADY_DONE.has(error.cause.errno)
}

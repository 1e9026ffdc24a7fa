import Sqlite from 'better-sqlite3'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { embeddedFile } from '../../src/stores/sql/dialects/sqlite/location.ts'
import type { DialectName } from '../setup/database-names.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'

type Row = Record<string, unknown>

/** The catalog of the tables of a database, by query. */
export type Catalog = Readonly<Record<string, readonly Row[]>>

const QUESTIONS: Readonly<Record<DialectName, Readonly<Record<string, string>>>> = {
  sqlite: {
    everything: `select type, name, tbl_name, sql from sqlite_master where name not like 'sqlite%' order by type, name`,
  },
  mysql: {
    tables: `select table_name, engine, table_collation from information_schema.tables
      where table_schema = database() order by 1`,
    columns: `select table_name, ordinal_position, column_name, column_type, is_nullable, column_default,
      character_set_name, collation_name, character_octet_length, extra
      from information_schema.columns where table_schema = database() order by 1, 2`,
    indexes: `select table_name, index_name, seq_in_index, column_name, non_unique, sub_part, collation, index_type
      from information_schema.statistics where table_schema = database() order by 1, 2, 3`,
    constraints: `select k.table_name, k.constraint_name, k.ordinal_position, k.column_name,
      k.referenced_table_name, k.referenced_column_name, r.update_rule, r.delete_rule
      from information_schema.key_column_usage k left join information_schema.referential_constraints r
      on r.constraint_schema = k.table_schema and r.table_name = k.table_name and r.constraint_name = k.constraint_name
      where k.table_schema = database() order by 1, 2, 3`,
    // MySQL keeps the semicolon that ends a statement of a script as a part of the trigger's body.
    triggers: `select trigger_name, event_manipulation, event_object_table, action_timing, action_orientation,
      trim(trailing ';' from action_statement) as body
      from information_schema.triggers where trigger_schema = database() order by 1`,
  },
  postgres: {
    // PostgreSQL does not reuse the number of a dropped column.
    columns: `select table_name, row_number() over (partition by table_name order by ordinal_position)::int as place, column_name, data_type, character_maximum_length, is_nullable,
      column_default, collation_name from information_schema.columns where table_schema = 'public' order by 1, 2`,
    indexes: `select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2`,
    constraints: `select conrelid::regclass::text as name, conname, pg_get_constraintdef(oid) as definition
      from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2`,
    triggers: `select tgrelid::regclass::text as name, tgname, pg_get_triggerdef(oid) as definition, tgenabled
      from pg_trigger where not tgisinternal order by 1, 2`,
    functions: `select proname, pg_get_functiondef(oid) as definition from pg_proc
      where pronamespace = 'public'::regnamespace order by 1`,
  },
}

export async function catalogOf(database: FreshDatabase): Promise<Catalog> {
  const catalog: Record<string, readonly Row[]> = {}
  for (const [name, question] of Object.entries(QUESTIONS[database.kind.dialect])) {
    catalog[name] = (await database.query(question)).map((row) =>
      Object.fromEntries(Object.entries(row).map(([key, value]) => [key.toLowerCase(), plain(key, value)])),
    )
  }
  return catalog
}

/** SQLite keeps the text of a statement; this removes differences of layout and quotes. */
function plain(key: string, value: unknown): unknown {
  if (key !== 'sql' || typeof value !== 'string') return value
  return value
    .replaceAll('"', '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\( | \)/g, (bracket) => bracket.trim())
    .replaceAll(' , ', ', ')
    .toLowerCase()
}

/** Runs a file of statements unchanged. */
export async function runScript(database: FreshDatabase, script: string): Promise<void> {
  switch (database.kind.dialect) {
    case 'sqlite':
      new Sqlite(embeddedFile(database.url) ?? '').exec(script).close()
      return
    case 'mysql': {
      const connection = await createConnection({ uri: database.url, multipleStatements: true })
      await connection.query(script).finally(() => connection.end())
      return
    }
    case 'postgres': {
      const client = new Client({ connectionString: database.url })
      await client.connect()
      await client.query(script).finally(() => client.end())
      return
    }
    default:
      database.kind.dialect satisfies never
  }
}

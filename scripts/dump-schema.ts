/**
 * Writes schema/<dialect>/*.sql from the statements of the migrations; no
 * database is needed. With `--check` only compares, and exits 1 where they differ.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Kysely } from 'kysely'
import type { ColumnTypes, Dialect } from '../src/stores/sql/core/dialect.ts'
import { recordStatements } from '../src/stores/sql/core/kysely.ts'
import { mysqlTypes } from '../src/stores/sql/dialects/mysql/column-types.ts'
import { mysql } from '../src/stores/sql/dialects/mysql/dialect.ts'
import { postgresTypes } from '../src/stores/sql/dialects/postgres/column-types.ts'
import { postgres } from '../src/stores/sql/dialects/postgres/dialect.ts'
import { sqliteTypes } from '../src/stores/sql/dialects/sqlite/column-types.ts'
import { sqlite } from '../src/stores/sql/dialects/sqlite/dialect.ts'
import { createBookkeeping } from '../src/stores/sql/migrate/bookkeeping.ts'
import { MIGRATIONS } from '../src/stores/sql/migrate/steps/all.ts'

const DIRECTORY = join(import.meta.dirname, '..', 'schema')
const LOGS = /\boauth_audit_/

interface Dumped {
  readonly dialect: Pick<Dialect, 'kysely' | 'name'>
  readonly types: ColumnTypes
  /** What the reader should know, as comments. */
  readonly notes: readonly string[]
}

const DUMPED: readonly Dumped[] = [
  { dialect: sqlite, types: sqliteTypes, notes: [] },
  {
    dialect: mysql,
    types: mysqlTypes('utf8mb4_nopad_bin'),
    notes: ['-- The collation is that of MariaDB; on MySQL 8 it is utf8mb4_0900_bin.'],
  },
  { dialect: postgres, types: postgresTypes, notes: [] },
]

/** The schema as SQL, by path below `schema/`: what the service works on, and its logs. */
export async function dumpSchema(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for (const { dialect, notes, types } of DUMPED) {
    const statements = (await recordStatements(dialect, (db) => buildSchema(db, types))).map(({ sql }) => layOut(sql))
    const header = [
      '-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.',
      '-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.',
      ...notes,
    ].join('\n')
    const write = (name: string, chosen: readonly string[]) =>
      files.set(`${dialect.name}/${name}`, [header, ...chosen.map((sql) => `${sql};`)].join('\n\n').concat('\n'))
    write(
      'oauth.sql',
      statements.filter((sql) => !LOGS.test(sql)),
    )
    write(
      'logs.sql',
      statements.filter((sql) => LOGS.test(sql)),
    )
  }
  return files
}

/** Reads a committed file; empty if there is none. */
export function committedSchema(path: string): string {
  try {
    return readFileSync(join(DIRECTORY, path), 'utf8')
  } catch {
    return ''
  }
}

async function buildSchema(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await createBookkeeping(db, types)
  for (const step of MIGRATIONS) await step.migration(types).up(db)
  for (const { appendOnly } of MIGRATIONS) {
    if (appendOnly !== undefined) await types.makeAppendOnly(db, appendOnly.table, appendOnly.key)
  }
}

/** One line for each column, and no quotes around names that need none. */
function layOut(sql: string): string {
  // `key` is a word of MySQL's own.
  const plain = sql.replaceAll(/["`](?!key`)([a-z_0-9]+)["`]/g, '$1').replace(/ if not exists /, ' ')
  const table = /^create table (\w+) \((.*)\)([^()]*)$/s.exec(plain)
  if (table === null) return plain
  const [, name, columns = '', options] = table
  return `create table ${name} (\n${columns
    .split(/, (?![^()]*\))/)
    .map((column) => `  ${column}`)
    .join(',\n')}\n)${options}`
}

async function main(): Promise<void> {
  const check = process.argv.includes('--check')
  for (const [name, text] of await dumpSchema()) {
    const path = join(DIRECTORY, name)
    if (!check) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    } else if (committedSchema(name) !== text) {
      console.error(`${path} is not what the migrations build: run node scripts/dump-schema.ts`)
      process.exitCode = 1
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()

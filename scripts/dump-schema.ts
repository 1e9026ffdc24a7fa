/**
 * Writes schema/sqlite/*.sql from what the migrations build; with `--check`
 * only compares, and exits 1 where they differ.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Sqlite from 'better-sqlite3'
import { openMigrations } from '../src/stores/open.ts'

const DIRECTORY = join(import.meta.dirname, '..', 'schema', 'sqlite')
const HEADER = '-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.\n'

/** The schema as SQL, by file name: what the service works on, and its logs. */
export async function sqliteSchema(): Promise<ReadonlyMap<string, string>> {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-schema-'))
  try {
    const file = join(directory, 'schema.db')
    const nothing = () => undefined
    const migrations = await openMigrations(`sqlite:${file}`, {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: nothing,
    })
    await migrations.up()
    await migrations.close()
    const database = new Sqlite(file)
    const rows = database
      .prepare<[], { readonly tbl_name: string; readonly sql: string }>(
        `select tbl_name, sql from sqlite_master where tbl_name like 'oauth\\_%' escape '\\' and sql is not null
         order by tbl_name, type = 'trigger', type = 'index', name`,
      )
      .all()
    database.close()
    const isLog = (table: string) => table.startsWith('oauth_audit_')
    return new Map([
      ['oauth.sql', dump(rows.filter((row) => !isLog(row.tbl_name)))],
      ['logs.sql', dump(rows.filter((row) => isLog(row.tbl_name)))],
    ])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Reads a committed file; empty if there is none. */
export function committedSchema(name: string): string {
  try {
    return readFileSync(join(DIRECTORY, name), 'utf8')
  } catch {
    return ''
  }
}

function dump(rows: readonly { readonly sql: string }[]): string {
  return [HEADER, ...rows.map((row) => `${layOut(row.sql)};\n`)].join('\n')
}

/** One line for each column; the rest as it is, without the capitals that SQLite adds at the front. */
function layOut(sql: string): string {
  const unquoted = sql
    .replaceAll('"', '')
    .replace(/^CREATE (UNIQUE )?(TABLE|INDEX|TRIGGER)/, (words) => words.toLowerCase())
  const table = /^create table (\w+) \((.*)\) (\w+)$/s.exec(unquoted)
  if (table === null) return unquoted
  const [, name, columns = '', option] = table
  return `create table ${name} (\n${columns
    .split(/, (?![^()]*\))/)
    .map((column) => `  ${column}`)
    .join(',\n')}\n) ${option}`
}

async function main(): Promise<void> {
  const check = process.argv.includes('--check')
  for (const [name, text] of await sqliteSchema()) {
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

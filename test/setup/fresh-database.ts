import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { inject } from 'vitest'
import { runSql } from './run-sql.ts'

const LOCK_PATIENCE_MS = 15_000

/** An empty database of one test, and a way past the server to look into it. */
export interface FreshDatabase {
  readonly kind: DatabaseKind
  readonly url: string
  /** Runs SQL as written, on a connection of its own. */
  query(sql: string): Promise<Record<string, unknown>[]>
  /** The names of its tables. */
  tables(): Promise<string[]>
  drop(): Promise<void>
}

/** Makes empty databases of one kind. */
export interface DatabaseKind {
  readonly name: 'sqlite' | 'mysql' | 'postgres'
  readonly available: boolean
  create(): Promise<FreshDatabase>
}

export const sqliteFiles: DatabaseKind = {
  name: 'sqlite',
  available: true,
  create: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'qscope-test-'))
    const file = join(directory, 'qscope.db')
    const query = (sql: string) => patiently(() => runOnce(file, sql))
    return {
      kind: sqliteFiles,
      url: `sqlite:${file}`,
      query,
      tables: async () => firstColumn(await query("select name from sqlite_master where type = 'table'")),
      drop: async () => rmSync(directory, { recursive: true, force: true }),
    }
  },
}

function runOnce(file: string, sql: string): Record<string, unknown>[] {
  const database = new Sqlite(file, { timeout: 0 })
  try {
    const statement = database.prepare<[], Record<string, unknown>>(sql)
    if (statement.reader) return statement.all()
    statement.run()
    return []
  } finally {
    database.close()
  }
}

/** A lock is waited for outside of SQLite: who holds it may need this very thread to let go. */
async function patiently<T>(attempt: () => T): Promise<T> {
  for (const until = Date.now() + LOCK_PATIENCE_MS; ; await sleep(10)) {
    try {
      return attempt()
    } catch (error) {
      const busy = error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!busy || Date.now() > until) throw error
    }
  }
}

/** Databases on a server of MySQL or MariaDB. */
export const mysqlDatabasesOn = (server: string | null): DatabaseKind =>
  onServer('mysql', server, {
    create: async (root, name) => void (await runSql(root, `create database ${name}`)),
    drop: (name) => `drop database ${name}`,
    tables: 'show tables',
  })

/** Databases on a server of PostgreSQL. */
export const postgresDatabasesOn = (server: string | null): DatabaseKind =>
  onServer('postgres', server, {
    create: async (root, name) => {
      const locale = await localeOf(root)
      await runSql(root, `create database ${name} template template0 encoding 'UTF8' ${locale}`)
    },
    drop: (name) => `drop database ${name} with (force)`,
    tables: "select table_name from information_schema.tables where table_schema = 'public'",
  })

export const mysqlDatabases = mysqlDatabasesOn(inject('mysqlUrl'))
export const postgresDatabases = postgresDatabasesOn(inject('postgresUrl'))

/** Every kind of database that a backend is tested on. */
export const databaseKinds: readonly DatabaseKind[] = [sqliteFiles, mysqlDatabases, postgresDatabases]

interface ServerSql {
  create(root: string, name: string): Promise<void>
  drop(name: string): string
  readonly tables: string
}

function onServer(name: DatabaseKind['name'], server: string | null, sql: ServerSql): DatabaseKind {
  const kind: DatabaseKind = {
    name,
    available: server !== null,
    create: async () => {
      if (server === null) throw new Error(`there is no server to test ${name} on`)
      const database = `qscope_${randomBytes(6).toString('hex')}`
      await sql.create(server, database)
      const { href: url } = Object.assign(new URL(server), { pathname: `/${database}` })
      return {
        kind,
        url,
        query: (text) => runSql(url, text),
        tables: async () => firstColumn(await runSql(url, sql.tables)),
        drop: async () => void (await runSql(server, sql.drop(database))),
      }
    },
  }
  return kind
}

/** One that sorts as people do, where the server has such a one: what relies on bytes must say so itself. */
async function localeOf(root: string): Promise<string> {
  const rows = await runSql(
    root,
    `select collname as name from pg_collation
     where collname = 'en_US.utf8' or collname = 'en-x-icu' and current_setting('server_version_num')::int >= 150000`,
  )
  const names = rows.map((row) => row['name'])
  if (names.includes('en-x-icu')) return "locale_provider icu icu_locale 'en' locale 'C'"
  return names.includes('en_US.utf8') ? "locale 'en_US.utf8'" : "locale 'C'"
}

function firstColumn(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map((row) => String(Object.values(row)[0]))
}

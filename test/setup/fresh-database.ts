import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import { openLibsql } from '../../src/stores/sql/dialects/libsql/library.ts'
import { failureOf } from '../../src/stores/sql/dialects/sqlite/errors.ts'
import { type OpenFile, openBetterSqlite } from '../../src/stores/sql/dialects/sqlite/library.ts'
import { type DatabaseName, DIALECTS, type DialectName, type EmbeddedName } from './database-names.ts'
import { dropLibsqlDatabase, LIBSQL_TABLES, makeLibsqlDatabase } from './libsql-databases.ts'
import { runOnMysql, runSql } from './run-sql.ts'
import { firstColumn, MYSQL, POSTGRES, type ServerSql, urlOf } from './server-databases.ts'
import { migrate } from './templates.ts'

const LOCK_PATIENCE_MS = 15_000

/** An empty database of one test, which can be queried directly. */
export interface FreshDatabase {
  readonly kind: DatabaseKind
  readonly url: string
  /** Runs SQL as written, on its own connection. */
  query(sql: string): Promise<Record<string, unknown>[]>
  /** The names of its tables. */
  tables(): Promise<string[]>
  drop(): Promise<void>
}

/** Creates empty databases of one kind. */
export interface DatabaseKind {
  readonly name: DatabaseName
  readonly dialect: DialectName
  readonly available: boolean
  create(): Promise<FreshDatabase>
}

/** Also creates databases with the schema. */
export interface MigratedKind extends DatabaseKind {
  /** The same as an empty database after `qscope migrate up`. */
  createMigrated(): Promise<FreshDatabase>
}

/** Files that are queried with the server's library. Two SQLite libraries in one process would release each other's locks. */
function emptyFiles(name: EmbeddedName, open: OpenFile): DatabaseKind {
  const kind: DatabaseKind = {
    name,
    dialect: DIALECTS[name],
    available: true,
    create: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'qscope-test-'))
      const file = join(directory, 'qscope.db')
      const query = (sql: string) => patiently(() => runOnce(open, file, sql))
      return {
        kind,
        url: `${name}:${file}`,
        query,
        tables: async () => firstColumn(await query("select name from sqlite_master where type = 'table'")),
        drop: async () => rmSync(directory, { recursive: true, force: true }),
      }
    },
  }
  return kind
}

function runOnce(open: OpenFile, file: string, sql: string): Record<string, unknown>[] {
  const database = open(file, { timeout: 0 })
  try {
    const statement = database.prepare(sql)
    // Rows are objects.
    if (statement.reader) return statement.all() as Record<string, unknown>[]
    statement.run()
    return []
  } finally {
    database.close()
  }
}

/** Waits for a lock outside of SQLite, because the holder may need this thread to release it. */
async function patiently<T>(attempt: () => T): Promise<T> {
  for (const until = Date.now() + LOCK_PATIENCE_MS; ; await sleep(10)) {
    try {
      return attempt()
    } catch (error) {
      const busy = failureOf(error).code.startsWith('SQLITE_BUSY')
      if (!busy || Date.now() > until) throw error
    }
  }
}

/** Databases on a server of MySQL. */
export const mysqlDatabasesOn = (server: string | null): DatabaseKind => onServer('mysql', server, MYSQL)

/** Databases on a server of MariaDB. */
export const mariadbDatabasesOn = (server: string | null): DatabaseKind => onServer('mariadb', server, MYSQL)

/** Databases on a server of PostgreSQL. */
export const postgresDatabasesOn = (server: string | null): DatabaseKind => onServer('postgres', server, POSTGRES)

const provided = inject('templates')
if (provided === undefined) {
  throw new Error('a test file that needs a database says so in its name, as x.database.test.ts: see docs/testing.md')
}
const {
  sqlite = '',
  libsql = '',
  mysql = null,
  mariadb = null,
  postgres = null,
  'libsql-remote': libsqlRemote = null,
} = provided

export const sqliteFiles: MigratedKind = migratedFiles('sqlite', openBetterSqlite, sqlite)

export const libsqlFiles: MigratedKind = migratedFiles('libsql', openLibsql, libsql)

export const mysqlDatabases: MigratedKind = migratedOnServer('mysql', inject('mysqlUrl'), MYSQL, copyOf(mysql))

export const mariadbDatabases: MigratedKind = migratedOnServer('mariadb', inject('mariadbUrl'), MYSQL, copyOf(mariadb))

export const postgresDatabases: MigratedKind = migratedOnServer(
  'postgres',
  inject('postgresUrl'),
  POSTGRES,
  async (server, name) => void (await runSql(server, `create database ${name} template ${postgres}`)),
)

export const libsqlDatabases: MigratedKind = onLibsql(inject('libsqlUrl'), libsqlRemote)

/** The kinds of databases in the project. A suite runs on each. */
export const databaseKinds: readonly MigratedKind[] = [
  sqliteFiles,
  mysqlDatabases,
  mariadbDatabases,
  postgresDatabases,
  libsqlFiles,
  libsqlDatabases,
].filter(({ name }) => inject('databases').includes(name))

function migratedFiles(name: EmbeddedName, open: OpenFile, template: string): MigratedKind {
  const kind = emptyFiles(name, open)
  return {
    ...kind,
    createMigrated: async () => {
      const database = await kind.create()
      copyFileSync(template, database.url.slice(name.length + 1))
      return database
    },
  }
}

function copyOf(template: readonly string[] | null): ServerSql['create'] {
  return async (server, name) => {
    await MYSQL.create(server, name)
    await runOnMysql(urlOf(server, name), template ?? [])
  }
}

function migratedOnServer(
  name: DatabaseKind['name'],
  server: string | null,
  sql: ServerSql,
  copy: ServerSql['create'],
): MigratedKind {
  const copies = onServer(name, server, { ...sql, create: copy })
  return { ...onServer(name, server, sql), createMigrated: () => copies.create() }
}

function onServer(name: DatabaseKind['name'], server: string | null, sql: ServerSql): DatabaseKind {
  const kind: DatabaseKind = {
    name,
    dialect: DIALECTS[name],
    available: server !== null,
    create: async () => {
      if (server === null) throw new Error(`there is no server to test ${name} on`)
      const database = `qscope_${randomBytes(6).toString('hex')}`
      await sql.create(server, database)
      const url = urlOf(server, database)
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

/** libSQL databases on a server. Without a template, each is migrated. */
function onLibsql(server: string | null, template: string | null): MigratedKind {
  const make = async (from: string | null): Promise<FreshDatabase> => {
    if (server === null) throw new Error('there is no server to test libsql-remote on')
    const name = `qscope_${randomBytes(6).toString('hex')}`
    const url = await makeLibsqlDatabase(server, name, from)
    return {
      kind,
      url,
      query: (sql) => runSql(url, sql),
      tables: async () => firstColumn(await runSql(url, LIBSQL_TABLES)),
      drop: () => dropLibsqlDatabase(server, name),
    }
  }
  const kind: MigratedKind = {
    name: 'libsql-remote',
    dialect: DIALECTS['libsql-remote'],
    available: server !== null,
    create: () => make(null),
    createMigrated: async () => {
      const database = await make(template)
      if (template === null) await migrate(database.url)
      return database
    },
  }
  return kind
}

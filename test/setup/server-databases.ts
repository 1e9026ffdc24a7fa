import { runSql } from './run-sql.ts'

/** Creates, lists and drops databases on a server. */
export interface ServerSql {
  /** Creates an empty database. */
  create(server: string, name: string): Promise<void>
  readonly drop: (name: string) => string
  readonly tables: string
}

export const MYSQL: ServerSql = {
  create: async (server, name) => void (await runSql(server, `create database ${name}`)),
  drop: (name) => `drop database ${name}`,
  tables: 'show tables',
}

export const POSTGRES: ServerSql = {
  create: async (server, name) => {
    const locale = await localeOf(server)
    await runSql(server, `create database ${name} template template0 encoding 'UTF8' ${locale}`)
  },
  drop: (name) => `drop database ${name} with (force)`,
  tables: "select table_name from information_schema.tables where table_schema = 'public'",
}

/** The URL of one database on a server. */
export function urlOf(server: string, database: string): string {
  return Object.assign(new URL(server), { pathname: `/${database}` }).href
}

/** A locale with linguistic order, if the server has one. Code that relies on byte order must then say so. */
async function localeOf(server: string): Promise<string> {
  const rows = await runSql(
    server,
    `select collname as name from pg_collation
     where collname = 'en_US.utf8' or collname = 'en-x-icu' and current_setting('server_version_num')::int >= 150000`,
  )
  const names = rows.map((row) => row['name'])
  if (names.includes('en-x-icu')) return "locale_provider icu icu_locale 'en' locale 'C'"
  return names.includes('en_US.utf8') ? "locale 'en_US.utf8'" : "locale 'C'"
}

export function firstColumn(rows: readonly Record<string, unknown>[]): string[] {
  return rows.map((row) => String(Object.values(row)[0]))
}

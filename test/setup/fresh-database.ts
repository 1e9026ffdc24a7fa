import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { createConnection } from 'mysql2/promise'
import { inject } from 'vitest'

/** An empty database of one test, and a way past the server to look into it. */
export interface FreshDatabase {
  readonly url: string
  /** Runs SQL as written, on a connection of its own. */
  query(sql: string): Promise<Record<string, unknown>[]>
  drop(): Promise<void>
}

/** Makes empty databases of one kind. */
export interface DatabaseKind {
  readonly name: string
  readonly available: boolean
  create(): Promise<FreshDatabase>
}

export const sqliteFiles: DatabaseKind = {
  name: 'sqlite',
  available: true,
  create: async () => {
    const directory = mkdtempSync(join(tmpdir(), 'qscope-test-'))
    const file = join(directory, 'qscope.db')
    return {
      url: `sqlite:${file}`,
      query: async (sql) => {
        const database = new Sqlite(file, { timeout: 5_000 })
        try {
          const statement = database.prepare<[], Record<string, unknown>>(sql)
          if (statement.reader) return statement.all()
          statement.run()
          return []
        } finally {
          database.close()
        }
      },
      drop: async () => rmSync(directory, { recursive: true, force: true }),
    }
  },
}

const server = inject('mysqlUrl')

export const mysqlDatabases: DatabaseKind = {
  name: 'mysql',
  available: server !== null,
  create: async () => {
    if (server === null) throw new Error('there is no MySQL server to test on')
    const name = `qscope_${randomBytes(6).toString('hex')}`
    const root = new URL(server)
    await mysqlQuery(root, `create database ${name}`)
    const url = new URL(server)
    url.pathname = `/${name}`
    return {
      url: url.href,
      query: (sql) => mysqlQuery(url, sql),
      drop: async () => void (await mysqlQuery(root, `drop database ${name}`)),
    }
  },
}

async function mysqlQuery(url: URL, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await createConnection(url.href)
  try {
    const [rows] = await connection.query(sql)
    return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
  } finally {
    await connection.end()
  }
}

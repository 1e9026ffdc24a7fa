import { createClient } from '@libsql/client/http'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'

/** Runs SQL as the user of a URL, on its own connection. */
export async function runSql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  if (/^(?:https?|libsql):/.test(url)) return await onLibsql(url, sql)
  return url.startsWith('mysql:') ? await onMysql(url, sql) : await onPostgres(url, sql)
}

/** Runs statements sequentially on one MySQL connection. */
export async function runOnMysql(url: string, statements: readonly string[]): Promise<void> {
  const connection = await createConnection(url)
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    await connection.end()
  }
}

async function onMysql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await createConnection(url)
  try {
    const [rows] = await connection.query(sql)
    return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
  } finally {
    await connection.end()
  }
}

async function onPostgres(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

async function onLibsql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = createClient({ url: url.replace(/\/?$/, '/') })
  try {
    const { columns, rows } = await client.execute(sql)
    return rows.map((row) => Object.fromEntries(columns.map((column, at) => [column, readable(row[at])])))
  } finally {
    client.close()
  }
}

function readable(value: unknown): unknown {
  return value instanceof ArrayBuffer ? Buffer.from(value) : value
}

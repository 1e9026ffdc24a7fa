import { runSql } from './run-sql.ts'
import { firstColumn, urlOf } from './server-databases.ts'

export const LIBSQL_TABLES =
  "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'"

/**
 * Creates a libSQL database on a server, empty or as a copy, and returns its URL. A test server has any number of them, each
 * with its own path. Another server has a single one, which is emptied, and cannot copy. Test files run sequentially there.
 */
export async function makeLibsqlDatabase(server: string, name: string, from: string | null = null): Promise<string> {
  if (await isOwn(server)) {
    await ask(server, 'PUT', from === null ? name : `${name}?from=${from}`)
    return urlOf(server, name)
  }
  await empty(server)
  return server
}

export async function dropLibsqlDatabase(server: string, name: string): Promise<void> {
  if (await isOwn(server)) await ask(server, 'DELETE', name)
  else await empty(server)
}

/** Whether the server is a test server. */
export async function isOwn(server: string): Promise<boolean> {
  const answer = await fetch(new URL('/databases/', server))
  await answer.arrayBuffer()
  return answer.ok
}

async function ask(server: string, method: 'PUT' | 'DELETE', name: string): Promise<void> {
  const answer = await fetch(new URL(`/databases/${name}`, server), { method })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${name}: ${answer.status} ${text}`)
}

async function empty(server: string): Promise<void> {
  const names = async (sql: string) => firstColumn(await runSql(server, sql))
  for (const trigger of await names("select name from sqlite_master where type = 'trigger'")) {
    await runSql(server, `drop trigger ${trigger}`)
  }
  // A table can be dropped after the tables that reference it.
  for (let left = await names(LIBSQL_TABLES), tries = left.length; left.length > 0; tries -= 1) {
    const outcomes = await Promise.allSettled(left.map((table) => runSql(server, `drop table ${table}`)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined && tries === 0) throw failed.reason
    left = await names(LIBSQL_TABLES)
  }
}

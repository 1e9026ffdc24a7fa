import type { FreshDatabase } from './fresh-database.ts'

/** Everything that a database holds, as one text; binary columns byte by byte. */
export async function dump(database: FreshDatabase): Promise<string> {
  const tables = database.url.startsWith('sqlite:')
    ? await database.query("select name from sqlite_master where type = 'table'")
    : await database.query('show tables')
  const names = tables.map((row) => String(Object.values(row)[0]))
  const rows = await Promise.all(names.map((name) => database.query(`select * from ${name}`)))
  return rows
    .flat()
    .flatMap((row) => Object.values(row))
    .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value)))
    .join('\n')
}

import type { FreshDatabase } from './fresh-database.ts'

/** The whole content of a database as one text, with binary columns byte by byte. */
export async function dump(database: FreshDatabase): Promise<string> {
  const names = await database.tables()
  const rows = await Promise.all(names.map((name) => database.query(`select * from ${name}`)))
  return rows
    .flat()
    .flatMap((row) => Object.values(row))
    .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value)))
    .join('\n')
}

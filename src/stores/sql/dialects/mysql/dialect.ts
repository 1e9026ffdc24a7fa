import { MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler } from 'kysely'
import { createPool } from 'mysql2'
import type { Dialect, Statement } from '../../dialect.ts'
import { DatabaseTrouble } from '../../trouble.ts'
import { openMysqlMigration } from './migration-session.ts'
import { connectionOptions, executeOn, openConnection, SESSION_SETTINGS } from './session.ts'
import { MysqlWriter } from './writer.ts'

/** Look-ups travel in batches, so few connections read. */
const READERS = 6
/** One for the append lane, the others for transactions. */
const TRANSACTION_WRITERS = 8

export const mysql: Dialect = Object.freeze({
  name: 'mysql',
  kysely: {
    createAdapter: () => new MysqlAdapter(),
    createQueryCompiler: () => new MysqlQueryCompiler(),
    createIntrospector: (db) => new MysqlIntrospector(db),
  },
  connect: async (url, log) => {
    const first = await openConnection(url)
    const durable = await isDurable((sql) => first.query(sql))
    if (!durable) log.warn({}, 'innodb_flush_log_at_trx_commit is not 1: a crash of the server can lose answered calls')
    await first.end()

    const pool = createPool({ ...connectionOptions(url), connectionLimit: READERS })
    pool.on('connection', (connection) => {
      const orDrop = (error: unknown) => {
        if (error === null) return
        log.error({ err: error }, 'a connection to the database could not be set up')
        connection.destroy()
      }
      // Queued before the first query of whoever waits for this connection.
      for (const setting of SESSION_SETTINGS) connection.query(setting, orDrop)
    })
    const reader = pool.promise()
    const writers = Array.from({ length: 1 + TRANSACTION_WRITERS }, () => new MysqlWriter(url, log))
    const [appender = new MysqlWriter(url, log), ...others] = writers
    return {
      execute: async (statement) => await onceMoreIfLost(() => executeOn(reader, statement)),
      writers: [appender, ...others],
      close: async () => {
        await Promise.all([reader.end(), ...writers.map((writer) => writer.close())])
      },
    }
  },
  connectForMigration: (url) => openMysqlMigration(url),
} satisfies Dialect)

/** A pooled connection may have gone stale unnoticed; a read can be repeated. */
async function onceMoreIfLost<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof DatabaseTrouble) || error.kind !== 'lost') throw error
    return await read()
  }
}

async function isDurable(query: (sql: Statement['sql']) => Promise<unknown>): Promise<boolean> {
  const answer = await query('select @@global.innodb_flush_log_at_trx_commit as flush')
  return JSON.stringify(answer).includes('"flush":1')
}

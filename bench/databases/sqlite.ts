import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { benchDirectory } from '../directory.ts'
import type { TokenSql } from '../seed/token-columns.ts'
import type { BenchDatabase, BulkConnection, BulkPurpose } from './bench-database.ts'

const CACHE_KIB = 400_000

const tokenSql: TokenSql = Object.freeze({
  hex: (expression: string, digits: number) => `printf('%0${digits}x', ${expression})`,
  hash: 'randomblob(32)',
  numbers: (from: number, to: number) =>
    `(with recursive n(i) as (select ${from} union all select i + 1 from n where i + 1 < ${to}) select i from n)`,
  text: (expression: string) => `(${expression})`,
})

export async function openSqlite(root: string): Promise<BenchDatabase> {
  const fileOf = (dataset: string) => join(benchDirectory(root, `sqlite-${dataset}`), 'qscope.db')
  return {
    name: 'sqlite',
    version: `SQLite ${versionOf()}`,
    pid: null,
    urlOf: (dataset) => `sqlite:${fileOf(dataset)}`,
    create: async (dataset) => {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${fileOf(dataset)}${suffix}`, { force: true })
    },
    connect: async (dataset, purpose) => bulkConnection(fileOf(dataset), purpose),
    stop: async () => undefined,
  }
}

function versionOf(): string {
  const database = new Sqlite(':memory:')
  const version = String(database.prepare('select sqlite_version()').pluck().get())
  database.close()
  return version
}

function bulkConnection(file: string, purpose: BulkPurpose): BulkConnection {
  const database = new Sqlite(file)
  if (purpose === 'fill') database.pragma('journal_mode = off')
  database.pragma('synchronous = off')
  database.pragma('locking_mode = exclusive')
  database.pragma(`cache_size = -${CACHE_KIB}`)
  return {
    tokenSql,
    run: async (sql) => void database.exec(sql),
    runAll: async (sql, rows) => {
      const statement = database.prepare(sql)
      database.transaction(() => {
        for (const row of rows) statement.run(...row)
      })()
    },
    dropIndexes: async (table) => {
      const indexes = database
        .prepare<[string], { readonly name: string; readonly sql: string }>(
          `select name, sql from sqlite_master where type = 'index' and tbl_name = ? and sql is not null`,
        )
        .all(table)
      for (const { name } of indexes) database.exec(`drop index ${name}`)
      return indexes.map((index) => index.sql)
    },
    close: async () => {
      database.pragma('journal_mode = wal')
      database.pragma('wal_checkpoint(truncate)')
      database.close()
      // Otherwise the first measurements would share the disk with writes of the seed.
      const descriptor = openSync(file, 'r')
      fsyncSync(descriptor)
      closeSync(descriptor)
    },
  }
}

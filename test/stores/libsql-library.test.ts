import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, test } from 'vitest'
import { codeName } from '../../src/stores/sql/dialects/libsql/errors.ts'
import { openLibsql } from '../../src/stores/sql/dialects/libsql/library.ts'
import { databaseErrorOf, failureOf } from '../../src/stores/sql/dialects/sqlite/errors.ts'
import type { SqliteConnection } from '../../src/stores/sql/dialects/sqlite/library.ts'

const TABLE = 'create table t (id integer primary key, name text unique, bytes blob, flag integer) strict'

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'qscope-libsql-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'a file?with #odd%20name.db')
}

function opened(file: string, readonly = false): SqliteConnection {
  const connection = openLibsql(file, { timeout: 0, readonly })
  onTestFinished(() => void connection.close())
  return connection
}

function withTable(): { readonly file: string; readonly connection: SqliteConnection } {
  const file = temporaryFile()
  const connection = opened(file)
  connection.pragma('journal_mode = WAL')
  connection.prepare(TABLE).run()
  return { file, connection }
}

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return failureOf(error).code
  }
  return 'none'
}

describe('a file of libSQL', () => {
  it('can be closed during a transaction, which is rolled back and unlocked, and later calls are refused', () => {
    const { file, connection } = withTable()
    connection.prepare('begin immediate').run()
    const insert = connection.prepare('insert into t values (?, ?, ?, ?)')
    insert.run(1, 'one', null, null)
    connection.close()
    expect(connection.inTransaction).toBe(false)
    expect(() => connection.prepare('select 1')).toThrow('not open')
    expect(() => connection.pragma('user_version')).toThrow('not open')
    const other = opened(file)
    other.prepare('begin exclusive').run()
    expect(other.prepare('select * from t').all()).toEqual([])
  })

  it('returns values unchanged, integers as integers', () => {
    const { connection } = withTable()
    const pool = Buffer.from('neighbour-bytes')
    const bytes = pool.subarray(10, 15)
    const insert = connection.prepare('insert into t values (?, ?, ?, ?)')
    expect(insert.run(Number.MAX_SAFE_INTEGER, 'é\u{1F511}', bytes, null).changes).toBe(1)
    const [row, ...more] = connection.prepare('select *, typeof(id) as type, typeof(? + 1) as sum from t').all(41)
    expect(row).toEqual({
      id: Number.MAX_SAFE_INTEGER,
      name: 'é\u{1F511}',
      bytes,
      flag: null,
      type: 'integer',
      sum: 'integer',
    })
    expect(Buffer.isBuffer(Reflect.get(Object(row), 'bytes'))).toBe(true)
    expect(more).toEqual([])
    expect(connection.prepare('select ? as only').all(bytes)).toEqual([{ only: bytes }])
  })

  test.each([[true], [undefined], [{}], ['cut\0off']])(
    'refuses %j, which would end the process or be changed',
    (value) => {
      const { connection } = withTable()
      expect(() => connection.prepare('insert into t (name) values (?)').run(value)).toThrow(/cannot be stored/)
      expect(connection.prepare('select count(*) as n from t').all()).toEqual([{ n: 0 }])
    },
  )

  it('opened read-only refuses writes, with any name, and is not created', () => {
    const { file, connection } = withTable()
    connection.prepare('insert into t (id) values (1)').run()
    const reader = opened(file, true)
    expect(reader.prepare('select id from t').all()).toEqual([{ id: 1 }])
    expect(codeOf(() => reader.prepare('delete from t').run())).toBe('SQLITE_READONLY')
    expect(codeOf(() => openLibsql(`${file}.absent`, { timeout: 0, readonly: true }))).toBe('SQLITE_CANTOPEN')
  })

  it('can commit after it has met a lock', () => {
    const { file, connection } = withTable()
    const other = opened(file)
    const begin = connection.prepare('begin immediate')
    other.prepare('begin immediate').run()
    expect(codeOf(() => begin.run())).toBe('SQLITE_BUSY')
    expect(codeOf(() => connection.pragma('wal_checkpoint(TRUNCATE)'))).toBe('none')
    other.prepare('commit').run()
    begin.run()
    expect(connection.inTransaction).toBe(true)
    connection.prepare('insert into t (id) values (1)').run()
    connection.prepare('commit').run()
    expect(connection.inTransaction).toBe(false)
  })

  it('names its errors as SQLite does', () => {
    const { connection } = withTable()
    connection.prepare("insert into t (id, name) values (1, 'a')").run()
    const run = (sql: string) => codeOf(() => connection.prepare(sql).run())
    expect(run('insert into t (id) values (1)')).toBe('SQLITE_CONSTRAINT_PRIMARYKEY')
    expect(run("insert into t (name) values ('a')")).toBe('SQLITE_CONSTRAINT_UNIQUE')
    expect(run("insert into t (flag) values ('text')")).toBe('SQLITE_CONSTRAINT')
    expect(run('select * from absent')).toBe('SQLITE_ERROR')
    expect(run('nonsense')).toBe('SQLITE_ERROR')
  })

  test.each([
    [10, 'SQLITE_IOERR'],
    [1_034, 'SQLITE_IOERR_FSYNC'],
    [1_032, 'SQLITE_READONLY_DBMOVED'],
    [3_091, 'SQLITE_CONSTRAINT'],
    [13, 'SQLITE_FULL'],
    [99, ''],
  ])('knows the code %i as %s', (number, name) => {
    expect(codeName(number)).toBe(name)
  })

  it('reports in one line that the file cannot be created', () => {
    try {
      openLibsql('/nowhere/qscope.db', { timeout: 0 })
      expect.unreachable()
    } catch (error) {
      expect(databaseErrorOf(failureOf(error), '/nowhere/qscope.db')).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/^the database \/nowhere\/qscope.db cannot be opened: /),
      })
    }
  })
})

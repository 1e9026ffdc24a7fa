import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseServerUrl } from '../../src/domain/server-url.ts'
import type { Statement } from '../../src/stores/sql/core/dialect.ts'
import { MysqlDriver } from '../../src/stores/sql/dialects/mysql/driver.ts'
import { PostgresDriver } from '../../src/stores/sql/dialects/postgres/driver.ts'
import type { RawConnection } from '../../src/stores/sql/server/driver.ts'
import { openConnection } from '../../src/stores/sql/server/open-connection.ts'
import { type DatabaseProxy, startProxy } from '../setup/database-proxy.ts'
import { type FreshDatabase, mariadbDatabases, mysqlDatabases, postgresDatabases } from '../setup/fresh-database.ts'

const settings = {
  walLimit: 0,
  poolSize: 3,
  connectTimeoutMs: 5_000,
  statementTimeoutMs: 15_000,
  tls: null,
  authToken: null,
}

for (const kind of [mysqlDatabases, mariadbDatabases, postgresDatabases]) {
  const isPostgres = kind.dialect === 'postgres'
  describe.skipIf(!kind.available)(`statements that are sent together to ${kind.name}`, () => {
    let database: FreshDatabase
    let proxy: DatabaseProxy
    const opened: RawConnection[] = []
    beforeEach(async () => {
      database = await kind.create()
      const bytes = isPostgres ? 'bytea' : 'varbinary(100)'
      const text = isPostgres ? 'text' : 'varchar(100) character set utf8mb4 collate utf8mb4_bin'
      await database.query(
        `create table things (id bigint not null primary key, name ${text}, content ${bytes}, amount bigint)`,
      )
      proxy = await startProxy(database.url)
    })
    afterEach(async () => {
      for (const connection of opened.splice(0)) connection.destroy()
      await proxy.close()
      await database.drop()
    })

    async function open(): Promise<RawConnection> {
      const url = parseServerUrl(proxy.url)
      if (url === null) throw new Error('this is no URL of a server')
      const driver = isPostgres ? new PostgresDriver() : new MysqlDriver()
      const { connection } = await openConnection(
        driver,
        { url, settings, multiStatements: true, use: 'writes' },
        url.hosts[0],
      )
      opened.push(connection)
      return connection
    }
    const numbered = (sql: string) => {
      if (!isPostgres) return sql
      const [first = '', ...others] = sql.split('?')
      return others.reduce((text, part, index) => `${text}$${index + 1}${part}`, first)
    }
    const statement = (sql: string, ...parameters: unknown[]): Statement => ({ sql: numbered(sql), parameters })
    const insert = (
      id: number,
      name: string | null = null,
      content: Buffer | null = null,
      amount: number | null = null,
    ) => statement('insert into things (id, name, content, amount) values (?, ?, ?, ?)', id, name, content, amount)
    const rename = (name: string, id: number) => statement('update things set name = ? where id = ?', name, id)
    const remove = (from: number) => statement('delete from things where id >= ?', from)
    const ids = async () => {
      const rows = await database.query('select id from things order by id')
      return rows.map((row) => Number(Object.values(row)[0]))
    }

    test('run in order, and each reports its number of rows', async () => {
      const connection = await open()
      const all = [insert(1), insert(2), insert(3), rename('one', 1), rename('none', 9), remove(2), remove(2)]
      expect(await connection.writeAll(all)).toEqual({ affected: [1, 1, 1, 1, 0, 2, 0], failure: null })
      expect(await ids()).toEqual([1])
      const several = statement('insert into things (id) values (?), (?), (?)', 10, 11, 12)
      expect(await connection.writeAll([several, rename('ten', 10)])).toEqual({ affected: [3, 1], failure: null })
    })

    test('arrive unchanged: quotes, backslashes, question marks, other scripts, bytes, nulls and large numbers', async () => {
      const names = [
        "it's",
        '"quoted"',
        String.raw`back\slash\'`,
        'what? ?? $1 :name',
        'Łukasz 𝕏 日本',
        '',
        "';--",
        '%s',
      ]
      const connection = await open()
      const content = Buffer.from([0, 39, 92, 255, 34, 10])
      await connection.writeAll(names.map((name, id) => insert(id, name, content, Number.MAX_SAFE_INTEGER - id)))
      const read = (id: number) =>
        connection.execute(statement('select name, content, amount from things where id = ?', id))
      for (const [id, name] of names.entries()) {
        const [row] = (await read(id)).rows as { name: string; content: Buffer; amount: string | number }[]
        expect(row).toMatchObject({ name, content })
        expect(Number(row?.amount)).toBe(Number.MAX_SAFE_INTEGER - id)
      }
      await connection.writeAll([insert(100)])
      expect((await read(100)).rows).toEqual([{ name: null, content: null, amount: null }])
    })

    test('stop at the first failure, and the connection stays usable', async () => {
      const connection = await open()
      await connection.query('begin')
      const written = await connection.writeAll([insert(1), insert(2), insert(1), insert(3)])
      expect(written).toMatchObject({ affected: [1, 1], failure: { kind: 'duplicate' } })
      await connection.query('rollback')
      expect(await ids()).toEqual([])
      expect(await connection.writeAll([insert(1), insert(3)])).toEqual({ affected: [1, 1], failure: null })
      expect(await ids()).toEqual([1, 3])
    })

    test('can be sent again if the first one with the same text was refused', async () => {
      await (await open()).writeAll([insert(1)])
      const connection = await open()
      const refused = await connection.writeAll([rename('one', 1), insert(1), remove(9)])
      expect(refused).toMatchObject({ affected: [1], failure: { kind: 'duplicate' } })
      expect(await connection.writeAll([insert(2), remove(2)])).toEqual({ affected: [1, 1], failure: null })
    })

    test('may use a table that is created later', async () => {
      const connection = await open()
      const later = statement('insert into others (id) values (?)', 1)
      const written = await connection.writeAll([insert(1), later, insert(2)])
      expect(written).toMatchObject({ affected: [1], failure: { kind: 'broken' } })
      await database.query('create table others (id bigint not null primary key)')
      await database.query('delete from things')
      expect(await connection.writeAll([insert(1), later, insert(2)])).toEqual({ affected: [1, 1, 1], failure: null })
    })

    test('are refused before any is sent if a value cannot be stored', async () => {
      const connection = await open()
      const impossible = statement('insert into things (id) values (?)', { not: 'a value' })
      await expect(async () => await connection.writeAll([insert(1), impossible])).rejects.toThrow('cannot be stored')
      expect(await connection.writeAll([insert(2)])).toEqual({ affected: [1], failure: null })
      expect(await ids()).toEqual([2])
    })

    test('fail as lost if the connection breaks while one of them waits for a row', async () => {
      const [holder, connection] = [await open(), await open()]
      await holder.writeAll([insert(1)])
      await connection.writeAll([rename('before', 1)])
      await holder.query('begin')
      await holder.execute(rename('held', 1))
      await connection.query('begin')
      const waiting = connection.writeAll([insert(2), rename('late', 1), insert(3)])
      const outcome = expect(waiting).rejects.toMatchObject({ kind: 'lost' })
      await new Promise((resolve) => setTimeout(resolve, 200))
      proxy.cut()
      await outcome
      expect(connection.usable).toBe(false)
      expect(await ids()).toEqual([1])
    })

    test('report that the server was shut down, if it says so', async () => {
      const [holder, connection] = [await open(), await open()]
      const own = isPostgres ? 'select pg_backend_pid() as id' : 'select connection_id() as id'
      const [session] = (await connection.query(own)).rows as { id: number }[]
      await holder.writeAll([insert(1)])
      await holder.query('begin')
      await holder.execute(rename('held', 1))
      const waiting = connection.writeAll([rename('late', 1)])
      const outcome = waiting.then(
        ({ failure }) => failure,
        (error: unknown) => error,
      )
      await new Promise((resolve) => setTimeout(resolve, 200))
      await holder.query(isPostgres ? `select pg_terminate_backend(${session?.id})` : `kill ${session?.id}`)
      expect(await outcome).toMatchObject({ name: 'DatabaseError', kind: 'lost' })
    })
  })
}

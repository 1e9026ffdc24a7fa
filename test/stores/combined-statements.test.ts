import Sqlite from 'better-sqlite3'
import { array, assert, constantFrom, integer, option, property, record, uint8Array, uniqueArray } from 'fast-check'
import { expect, it } from 'vitest'
import type { Query, RecordedStatement } from '../../src/stores/sql/core/dialect.ts'
import { KeyedUpdate } from '../../src/stores/sql/core/keyed-update.ts'
import { kyselyOver } from '../../src/stores/sql/core/kysely.ts'
import { RowInserts } from '../../src/stores/sql/core/prepared-statement.ts'
import { sqliteKysely } from '../../src/stores/sql/dialects/sqlite/embedded-dialect.ts'
import { CombinedStatements } from '../../src/stores/sql/server/combined-statements.ts'

interface Thing {
  readonly id: number
  readonly size: number
  readonly content: Uint8Array | null
}

const db = kyselyOver<{ things: Thing }>(sqliteKysely, { execute: async () => ({ rows: [], affected: 0 }) })

/** The statements that one call records. Each call compiles them separately. */
class Recorder {
  readonly #inserts = new RowInserts<Thing>(
    (rows) => db.insertInto('things').values(rows).compile(),
    ({ id }) => `things ${id}`,
  )
  readonly #fills = new KeyedUpdate<Thing>({
    table: 'things',
    key: 'id',
    columns: { id: 'id', size: 'size', content: 'content' },
    build: (value, isRow) =>
      db
        .updateTable('things')
        .set((row) => ({ size: row('size', '+', value('size')), content: value('content') }))
        .where(isRow),
  })
  readonly #doubles = new KeyedUpdate<Pick<Thing, 'id'>>({
    table: 'things',
    key: 'id',
    columns: { id: 'id' },
    build: (_value, isRow) =>
      db
        .updateTable('things')
        .set((row) => ({ size: row('size', '*', 2) }))
        .where(isRow),
  })

  insert = (thing: Thing) => recorded(this.#inserts.one(thing))
  fill = (thing: Thing) => recorded(this.#fills.with(thing))
  double = ({ id }: Thing) => recorded(this.#doubles.with({ id }))
  /** A statement that does not name the row that it writes. */
  grow = ({ id, size }: Thing) =>
    recorded(
      db
        .updateTable('things')
        .set((row) => ({ size: row('size', '+', size) }))
        .where('id', '=', id)
        .compile(),
    )
}

function recorded({ sql, parameters, rowWrite }: Query): RecordedStatement {
  return { sql, parameters, affects: 1, ...(rowWrite !== undefined && { rowWrite }) }
}

/** The rows of the table after the statements, and the number of rows that each of them wrote. */
function outcomeOf(statements: readonly RecordedStatement[]) {
  const sqlite = new Sqlite(':memory:')
  sqlite.exec('create table things (id integer primary key, size integer, content blob)')
  for (let id = 0; id < 10; id += 1) sqlite.prepare('insert into things values (?, ?, null)').run(id, id)
  const affected = statements.map(({ sql, parameters }) => sqlite.prepare(sql).run(...parameters).changes)
  return { rows: sqlite.prepare('select * from things order by id').all(), affected }
}

const recorders = [new Recorder(), new Recorder()]
const anyRecorder = constantFrom(...recorders)
const content = option(uint8Array({ maxLength: 4 }))
const changes = array(
  record({
    recorder: anyRecorder,
    kind: constantFrom('fill', 'double', 'grow'),
    thing: record({ id: integer({ min: 0, max: 9 }), size: integer({ min: -9, max: 9 }), content }),
  }),
  { maxLength: 4 },
)
const newThings = uniqueArray(
  record({ id: integer({ min: 100, max: 200 }), size: integer({ min: 0, max: 9 }), content }),
  {
    selector: ({ id }) => id,
    maxLength: 40,
  },
)

it('have the same effect as the transactions one after the other, also on shared rows', () => {
  const combined = new CombinedStatements()
  assert(
    property(array(changes, { maxLength: 40 }), newThings, (changing, things) => {
      const transactions = changing.map((all) =>
        all.map(({ recorder, kind, thing }) => recorder[kind as 'fill'](thing)),
      )
      const inserting = things.map((thing, at) => [recorders[at % 2]?.insert(thing) ?? []].flat())
      const all = [...transactions, ...inserting]
      const statements = combined.of(all)
      const together = outcomeOf(statements)
      expect(together.rows).toEqual(outcomeOf(all.flat()).rows)
      expect(together.affected).toEqual(statements.map(({ affects }) => affects))
      expect(together.affected.reduce((sum, rows) => sum + rows, 0)).toBe(all.flat().length)
    }),
  )
})

it('combine 16 transactions that differ only in their rows, and are two if a row is written twice', () => {
  const combined = new CombinedStatements()
  const transaction = (id: number) => {
    const recorder = new Recorder()
    return [recorder.double({ id, size: 0, content: null }), recorder.fill({ id, size: id, content: null })]
  }
  const ids = Array.from({ length: 16 }, (_, id) => id)
  expect(combined.of(ids.map(transaction)).map(({ affects }) => affects)).toEqual([16, 16])
  expect(combined.of([...ids, 3].map(transaction)).map(({ affects }) => affects)).toEqual([16, 16, 1, 1])
  expect(combined.of(ids.slice(0, 11).map(transaction)).map(({ affects }) => affects)).toEqual([8, 2, 1, 8, 2, 1])
})

it('do not move a statement that does not name the row that it writes', () => {
  const recorder = new Recorder()
  const thing = (id: number) => ({ id, size: 1, content: null })
  const grown = recorder.grow(thing(5))
  const statements = new CombinedStatements().of([
    [recorder.double(thing(1))],
    [recorder.double(thing(2))],
    [recorder.double(thing(3)), grown],
    [recorder.double(thing(4))],
    [recorder.double(thing(6))],
  ])
  expect(statements.map(({ affects }) => affects)).toEqual([2, 1, 1, 2])
  expect(statements[2]).toBe(grown)
})

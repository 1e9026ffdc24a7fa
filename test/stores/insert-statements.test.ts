import { array, assert, integer, property, record, string } from 'fast-check'
import { expect, it } from 'vitest'
import { kyselyOver } from '../../src/stores/sql/core/kysely.ts'
import { InsertStatements } from '../../src/stores/sql/core/prepared-statement.ts'
import { sqliteKysely } from '../../src/stores/sql/dialects/sqlite/embedded-dialect.ts'

interface Schema {
  readonly things: { readonly name: string; readonly size: number }
}

const db = kyselyOver<Schema>(sqliteKysely, { execute: async () => ({ rows: [], affected: 0 }) })
const rows = array(record({ name: string(), size: integer() }), { minLength: 1, maxLength: 40 })

const ROW_BY_ROW = { takesRecorded: true, rowByRow: true, refusesLostHead: false }

function insertsOfThings() {
  return new InsertStatements<Schema['things']>((some) => db.insertInto('things').values(some).compile())
}

it('repeats the statement of one row with the values of each, in the order of the rows', () => {
  const inserts = insertsOfThings()
  assert(
    property(rows, (some) => {
      const repeated = inserts.inForm(some, ROW_BY_ROW)
      const alone = some.map((row) => inserts.of([row])[0])
      expect(repeated.map(({ times }) => times)).toEqual([some.length])
      expect(new Set(alone.map((statement) => statement?.sql))).toEqual(new Set(repeated.map(({ sql }) => sql)))
      expect(repeated[0]?.parameters).toEqual(alone.flatMap((statement) => statement?.parameters ?? []))
    }),
  )
  expect(inserts.inForm([], ROW_BY_ROW)).toEqual([])
})

it('runs each statement of several rows once, for a pipeline that requires it', () => {
  const inserts = insertsOfThings()
  assert(
    property(rows, (some) => {
      const wide = inserts.of(some).map(({ sql, parameters }) => ({ sql, parameters, times: 1 }))
      expect(inserts.inForm(some, { ...ROW_BY_ROW, rowByRow: false })).toEqual(wide)
    }),
  )
})

it('inserts the same values with statements of 1, 2, 4, … rows, also after other compiled statements', () => {
  const inserts = insertsOfThings()
  assert(
    property(rows, (some) => {
      const values = inserts.of(some).flatMap(({ parameters }) => parameters)
      expect(values).toEqual(some.flatMap(({ name, size }) => [name, size]))
    }),
  )
})

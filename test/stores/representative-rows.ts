import { isDeepStrictEqual } from 'node:util'
import { recordStatements } from '../../src/stores/sql/core/kysely.ts'
import { mysqlTypes } from '../../src/stores/sql/dialects/mysql/column-types.ts'
import { mysql } from '../../src/stores/sql/dialects/mysql/dialect.ts'
import type { MigrationStep } from '../../src/stores/sql/migrate/steps/migration-step.ts'
import type { DialectName } from '../setup/database-names.ts'
import type { FreshDatabase } from '../setup/fresh-database.ts'

type Value = string | number | Buffer | null
type Row = Readonly<Record<string, Value>>

/** A table that a migration creates. */
interface Table {
  readonly name: string
  readonly columns: readonly Column[]
}

interface Column {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
}

/** A character of four bytes. */
const WIDE = '𝄞'

/** Ids that differ in case or by a space, and the longest one. Equal rows of all tables have equal ids, so that keys match. */
const IDENTIFIERS: readonly ((length: number) => string)[] = [
  () => 'Foo',
  () => 'foo',
  () => 'foo ',
  (length) => WIDE.repeat(length),
]
const TEXTS: readonly string[] = ['', `["ü","${WIDE}"]`, "a 'quoted' text \n", 'long '.repeat(20_000)]
const BYTES: readonly string[] = ['00'.repeat(32), 'ff'.repeat(32), `${'ab'.repeat(30)}2020`, `${'20'.repeat(31)}00`]
const BIG = Object.freeze({ bigint: Number.MAX_SAFE_INTEGER, integer: 2_147_483_647, smallint: 1 })

/** Writes rows with difficult values into every table that the step creates. */
export async function writeRows(database: FreshDatabase, step: MigrationStep): Promise<void> {
  for (const { columns, name } of await tablesOf(step)) {
    const rows = IDENTIFIERS.map((_, variant) => columns.map((column) => sampleOf(column, variant)))
    const lists = rows.map((row) => `(${row.map((value) => literal(value, database.kind.dialect)).join(', ')})`)
    const names = columns.map((column) => quoted(column.name, database.kind.dialect))
    await database.query(`insert into ${name} (${names.join(', ')}) values ${lists.join(', ')}`)
  }
}

/** The written rows, by table. */
export async function writtenRows(steps: readonly MigrationStep[]): Promise<ReadonlyMap<string, readonly Row[]>> {
  const tables = (await Promise.all(steps.map(tablesOf))).flat()
  return new Map(
    tables.map(({ columns, name }) => [
      name,
      IDENTIFIERS.map((_, variant) =>
        Object.fromEntries(columns.map((column) => [column.name, sampleOf(column, variant)])),
      ),
    ]),
  )
}

/** The current values of the columns that the steps created. */
export async function readRows(
  database: FreshDatabase,
  steps: readonly MigrationStep[],
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const read = new Map<string, readonly Row[]>()
  for (const { columns, name } of (await Promise.all(steps.map(tablesOf))).flat()) {
    const names = columns.map((column) => quoted(column.name, database.kind.dialect))
    const rows = await database.query(`select ${names.join(', ')} from ${name}`)
    const plain = rows.map((row) => Object.fromEntries(columns.map((column) => [column.name, parsed(column, row)])))
    // Sorts by the first column, the key, since databases return rows in different orders.
    read.set(
      name,
      IDENTIFIERS.flatMap((_, variant) => {
        const [first] = columns
        const key = first === undefined ? null : sampleOf(first, variant)
        return plain.filter((row) => first !== undefined && isDeepStrictEqual(row[first.name], key))
      }),
    )
  }
  return read
}

/** PostgreSQL returns large integers as text. */
function parsed({ name, type }: Column, row: Record<string, unknown>): Value {
  const value = row[name]
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (value === null || typeof value === 'number') return value
  return type === 'bigint' ? Number(value) : String(value)
}

function sampleOf({ name, nullable, type }: Column, variant: number): Value {
  if (nullable && variant === 1) return null
  const identifier = /^varchar\((\d+)\)$/.exec(type)
  if (identifier !== null) return (IDENTIFIERS[variant] ?? String)(Number(identifier[1]))
  switch (type) {
    case 'mediumtext':
      return TEXTS[variant] ?? ''
    case 'binary(16)':
      return Buffer.from(BYTES[variant] ?? '', 'hex').subarray(16)
    case 'binary(32)':
    case 'blob':
      return Buffer.from(BYTES[variant] ?? '', 'hex')
    case 'bigint':
      return [0, 1, BIG[type], 2][variant] ?? 0
    case 'integer':
    case 'smallint':
      return [0, 1, BIG[type], 1][variant] ?? 0
    default:
      throw new Error(`no values are known for ${name} ${type}`)
  }
}

/** `key` is a keyword of MySQL. */
function quoted(name: string, kind: DialectName): string {
  return kind === 'mysql' ? `\`${name}\`` : `"${name}"`
}

function literal(value: Value, kind: DialectName): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  return kind === 'postgres' ? `'\\x${value.toString('hex')}'` : `x'${value.toString('hex')}'`
}

async function tablesOf(step: MigrationStep): Promise<readonly Table[]> {
  const statements = await recordStatements(mysql, step.migration(mysqlTypes('utf8mb4_nopad_bin')).up)
  return statements.flatMap(({ sql }) => {
    const [, name, columns] = /^create table `(\w+)` \((.*)\)[^()]*$/s.exec(sql) ?? []
    if (name === undefined || columns === undefined) return []
    const found = [...columns.matchAll(/(?:^|, )`(\w+)` (\w+(?:\(\d+\))?)( not null)?/g)]
    return {
      name,
      columns: found.map(([, column = '', type = '', notNull]) => ({
        name: column,
        type,
        nullable: notNull === undefined,
      })),
    }
  })
}

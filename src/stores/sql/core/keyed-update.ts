import { type Compilable, type CompiledQuery, type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { MultiRowStatements, Query, RecordedStatement } from './dialect.ts'
import { inPowersOfTwo, type PlaceholderOf } from './prepared-statement.ts'

/** A `case` is evaluated by scanning its branches for each row, so larger batches are split. */
const LARGEST_UPDATE = 32

export interface KeyedUpdateParts<Values extends object> {
  readonly table: string
  /** The value of the primary key. */
  readonly key: keyof Values & string
  /** A column of the type of each value. For the key: the primary key. */
  readonly columns: Readonly<Record<keyof Values & string, string>>
  /**
   * The update of the rows for which `isRow` holds. It must pass each value on as a parameter without using it. Its
   * assignments and other conditions must read only the row itself.
   */
  readonly build: (value: PlaceholderOf<Values>, isRow: Expression<SqlBool>) => Compilable
}

/** A placeholder for a value of one of the rows. */
class RowPlaceholder {
  readonly row: number
  readonly name: string

  constructor(row: number, name: string) {
    this.row = row
    this.name = name
  }
}

/**
 * An update of one row by its primary key. Updates of several rows can be combined in one statement, in which a `case` over
 * the key selects the values of each row. Each statement is compiled once.
 */
export class KeyedUpdate<Values extends object> implements MultiRowStatements {
  readonly #parts: KeyedUpdateParts<Values>
  /** By the number of rows. */
  readonly #templates = new Map<number, CompiledQuery>()

  constructor(parts: KeyedUpdateParts<Values>) {
    this.#parts = parts
  }

  with(values: Values): CompiledQuery & Query {
    return { ...this.#filled([values]), rowWrite: { values, statements: this } }
  }

  nameOf(values: Values): string {
    const { table, key } = this.#parts
    return `${table} ${String(values[key])}`
  }

  together(rows: readonly Values[]): readonly RecordedStatement[] {
    return inPowersOfTwo(rows, LARGEST_UPDATE).map((slice) => {
      const { sql: text, parameters } = this.#filled(slice)
      return { sql: text, parameters, affects: slice.length }
    })
  }

  #filled(rows: readonly Values[]): CompiledQuery {
    const template = this.#templateFor(rows.length)
    const parameters = template.parameters.map((parameter) =>
      parameter instanceof RowPlaceholder ? Reflect.get(rows[parameter.row] ?? {}, parameter.name) : parameter,
    )
    return { ...template, parameters }
  }

  #templateFor(count: number): CompiledQuery {
    const known = this.#templates.get(count)
    if (known !== undefined) return known
    const template = (count === 1 ? this.#ofOne() : this.#ofMany(count)).compile()
    this.#templates.set(count, template)
    return template
  }

  #ofOne(): Compilable {
    const { key, columns, build } = this.#parts
    const isRow = sql<SqlBool>`${sql.ref(columns[key])} = ${new RowPlaceholder(0, key)}`
    return build((name) => new RowPlaceholder(0, name) as unknown as Values[typeof name], isRow)
  }

  #ofMany(count: number): Compilable {
    const { key, columns, build } = this.#parts
    const primaryKey = sql.ref(columns[key])
    const rows = Array.from({ length: count }, (_, row) => row)
    const isRow = sql<SqlBool>`${primaryKey} in (${sql.join(rows.map((row) => new RowPlaceholder(row, key)))})`
    const caseFor = (name: string, column: string): RawBuilder<unknown> => {
      const cases = rows.map((row) => sql`when ${new RowPlaceholder(row, key)} then ${new RowPlaceholder(row, name)}`)
      // The last branch is never reached. PostgreSQL derives the type of the others from it.
      return sql`case ${primaryKey} ${sql.join(cases, sql` `)} else ${sql.ref(column)} end`
    }
    return build((name) => caseFor(name, columns[name]) as unknown as Values[typeof name], isRow)
  }
}

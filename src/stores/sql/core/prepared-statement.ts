import type { Compilable, CompiledQuery, QueryResult } from 'kysely'
import type { BatchForm, MultiRowStatements, Query, RecordedStatement, RepeatedStatement } from './dialect.ts'

/** A placeholder for a value that is not yet known. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** References the values of a statement while it is built. */
export type PlaceholderOf<Values> = <Name extends keyof Values & string>(name: Name) => Values[Name]

/** A statement with a constant text, compiled at first use. Building it costs more than running it. */
export class PreparedStatement<Values extends object> {
  readonly #build: (value: PlaceholderOf<Values>) => Compilable
  #compiled: CompiledQuery | null = null

  /** `build` must pass each value on as a parameter without using it. */
  constructor(build: (value: PlaceholderOf<Values>) => Compilable) {
    this.#build = build
  }

  with(values: Values): CompiledQuery {
    // The placeholder is only replaced by the value. Nothing reads it before.
    this.#compiled ??= this.#build((name) => new Placeholder(name) as unknown as Values[typeof name]).compile()
    const parameters = this.#compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? Reflect.get(values, parameter.name) : parameter,
    )
    return { ...this.#compiled, parameters }
  }
}

/** Whether a guarded write matched its row. */
export function isOneRow({ numAffectedRows }: QueryResult<unknown>): boolean {
  return numAffectedRows === 1n
}

/** The smallest power of two that is at least `count`. */
function paddedSize(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}

/** Repeats the last key up to a power of two, so that there are few statements. A repeated key adds no rows. */
export function padded<Key>(keys: readonly Key[]): readonly Key[] {
  const last = keys.at(-1)
  if (last === undefined) return keys
  const missing = paddedSize(keys.length) - keys.length
  return missing === 0 ? keys : [...keys, ...new Array<Key>(missing).fill(last)]
}

/** A query with a list of keys as its only parameters, compiled once for each length of the list. */
export class KeyedQuery<Key, Row> {
  readonly #compile: (keys: readonly Key[]) => CompiledQuery<Row>
  readonly #compiled = new Map<number, CompiledQuery<Row>>()

  constructor(compile: (keys: readonly Key[]) => CompiledQuery<Row>) {
    this.#compile = compile
  }

  for(keys: readonly Key[]): CompiledQuery<Row> {
    const parameters = padded(keys)
    const known = this.#compiled.get(parameters.length)
    if (known !== undefined) return { ...known, parameters }
    const fresh = this.#compile(parameters)
    this.#compiled.set(parameters.length, fresh)
    return fresh
  }
}

/** Slices of 1, 2, 4, … of them, the largest first and none above `most`, a power of two. */
export function inPowersOfTwo<T>(all: readonly T[], most: number): readonly (readonly T[])[] {
  const slices: (readonly T[])[] = []
  for (let from = 0; from < all.length; ) {
    const size = Math.min(most, 2 ** Math.floor(Math.log2(all.length - from)))
    slices.push(all.slice(from, from + size))
    from += size
  }
  return slices
}

/** 256 rows of 21 columns are far below every database's limit of parameters. */
const LARGEST_INSERT = 256

/**
 * Inserts any number of rows with statements of 1, 2, 4, … rows, each compiled once. One function must make all rows, so that
 * their keys have the same order.
 */
export class InsertStatements<Row extends object> {
  readonly #compile: (rows: readonly Row[]) => CompiledQuery
  readonly #compiled = new Map<number, CompiledQuery>()

  constructor(compile: (rows: readonly Row[]) => CompiledQuery) {
    this.#compile = compile
  }

  /**
   * The form that a pipeline takes: one row for each statement, which saves the binding of hundreds of parameters, or the
   * statements of `of`.
   */
  inForm(rows: readonly Row[], { rowByRow }: BatchForm): readonly RepeatedStatement[] {
    const [first] = rows
    if (first === undefined) return []
    if (!rowByRow) return this.of(rows).map(({ sql, parameters }) => ({ sql, parameters, times: 1 }))
    const parameters: unknown[] = []
    for (const row of rows) parameters.push(...Object.values(row))
    return [{ sql: this.#compiledFor([first]).sql, parameters, times: rows.length }]
  }

  of(rows: readonly Row[]): readonly CompiledQuery[] {
    return inPowersOfTwo(rows, LARGEST_INSERT).map((slice) => this.statement(slice))
  }

  protected statement(rows: readonly Row[]): CompiledQuery {
    return { ...this.#compiledFor(rows), parameters: rows.flatMap((row) => Object.values(row)) }
  }

  /** A statement for this number of rows. Its parameters may be those of other rows. */
  #compiledFor(rows: readonly Row[]): CompiledQuery {
    const known = this.#compiled.get(rows.length)
    if (known !== undefined) return known
    const fresh = this.#compile(rows)
    this.#compiled.set(rows.length, fresh)
    return fresh
  }
}

/** Inserts of rows whose primary key is known, so that those of different transactions can be put together. */
export class RowInserts<Row extends object> extends InsertStatements<Row> implements MultiRowStatements {
  readonly nameOf: (row: Row) => string

  /** `nameOf` names a row among those of all tables. */
  constructor(compile: (rows: readonly Row[]) => CompiledQuery, nameOf: (row: Row) => string) {
    super(compile)
    this.nameOf = nameOf
  }

  one(row: Row): CompiledQuery & Query {
    return { ...this.statement([row]), rowWrite: { values: row, statements: this } }
  }

  together(rows: readonly Row[]): readonly RecordedStatement[] {
    return inPowersOfTwo(rows, LARGEST_INSERT).map((slice) => {
      const { sql, parameters } = this.statement(slice)
      return { sql, parameters, affects: slice.length }
    })
  }
}

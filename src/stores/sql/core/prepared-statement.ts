import type { Compilable, CompiledQuery, QueryResult } from 'kysely'
import type { BatchForm, MultiRowStatements, Query, RecordedStatement, RepeatedStatement } from './dialect.ts'

/** Stands for a value that is not known yet. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** Names the values of a statement while it is built. */
export type PlaceholderOf<Values> = <Name extends keyof Values & string>(name: Name) => Values[Name]

/**
 * A statement whose text is always the same, compiled when it is first used: to
 * build it anew costs more than to run it.
 */
export class PreparedStatement<Values extends object> {
  readonly #build: (value: PlaceholderOf<Values>) => Compilable
  #compiled: CompiledQuery | null = null

  /** `build` hands each value on as it is, as a parameter: it must not look at it. */
  constructor(build: (value: PlaceholderOf<Values>) => Compilable) {
    this.#build = build
  }

  with(values: Values): CompiledQuery {
    // A placeholder stands where its value will; nothing looks at it before the value is filled in.
    this.#compiled ??= this.#build((name) => new Placeholder(name) as unknown as Values[typeof name]).compile()
    const parameters = this.#compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? Reflect.get(values, parameter.name) : parameter,
    )
    return { ...this.#compiled, parameters }
  }
}

/** Whether a guarded write found its row. */
export function isOneRow({ numAffectedRows }: QueryResult<unknown>): boolean {
  return numAffectedRows === 1n
}

/** The smallest power of two that holds `count`. */
function paddedSize(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}

/** Repeats the last key up to a power of two, so that statements are few; a repeated key finds nothing new. */
export function padded<Key>(keys: readonly Key[]): readonly Key[] {
  const last = keys.at(-1)
  if (last === undefined) return keys
  const missing = paddedSize(keys.length) - keys.length
  return missing === 0 ? keys : [...keys, ...new Array<Key>(missing).fill(last)]
}

/** A query over a list of keys, compiled once for each size of the list; the keys are its only parameters. */
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

/** 256 rows of 21 columns stay far below every database's limit of parameters. */
const LARGEST_INSERT = 256

/**
 * Inserts of any number of rows as statements of 1, 2, 4, … rows, each compiled
 * once. The rows must come from one function, so that their keys are in one order.
 */
export class InsertStatements<Row extends object> implements MultiRowStatements {
  readonly #compile: (rows: readonly Row[]) => CompiledQuery
  readonly #rowName: ((row: Row) => string) | null
  readonly #compiled = new Map<number, CompiledQuery>()

  /** `rowName` names a row among those of all tables: then inserts of different transactions can be put together. */
  constructor(compile: (rows: readonly Row[]) => CompiledQuery, rowName: ((row: Row) => string) | null = null) {
    this.#compile = compile
    this.#rowName = rowName
  }

  /** Inserts one row. */
  one(row: Row): CompiledQuery & Query {
    const statement = this.#statement([row])
    if (this.#rowName === null) return statement
    return { ...statement, rowWrite: { row: this.#rowName(row), values: row, statements: this } }
  }

  together(rows: readonly Row[]): readonly RecordedStatement[] {
    return inPowersOfTwo(rows, LARGEST_INSERT).map((slice) => {
      const { sql, parameters } = this.#statement(slice)
      return { sql, parameters, affects: slice.length }
    })
  }

  /** As a pipeline wants them: one row at a time, which saves binding hundreds of parameters, or as `of` puts them. */
  inForm(rows: readonly Row[], { rowByRow }: BatchForm): readonly RepeatedStatement[] {
    const [first] = rows
    if (first === undefined) return []
    if (!rowByRow) return this.of(rows).map(({ sql, parameters }) => ({ sql, parameters, times: 1 }))
    const parameters: unknown[] = []
    for (const row of rows) parameters.push(...Object.values(row))
    return [{ sql: this.#compiledFor([first]).sql, parameters, times: rows.length }]
  }

  of(rows: readonly Row[]): readonly CompiledQuery[] {
    return inPowersOfTwo(rows, LARGEST_INSERT).map((slice) => this.#statement(slice))
  }

  #statement(rows: readonly Row[]): CompiledQuery {
    return { ...this.#compiledFor(rows), parameters: rows.flatMap((row) => Object.values(row)) }
  }

  /** A statement for so many rows; its parameters may be those of others. */
  #compiledFor(rows: readonly Row[]): CompiledQuery {
    const known = this.#compiled.get(rows.length)
    if (known !== undefined) return known
    const fresh = this.#compile(rows)
    this.#compiled.set(rows.length, fresh)
    return fresh
  }
}

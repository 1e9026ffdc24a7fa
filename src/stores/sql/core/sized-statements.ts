import type { CompiledQuery } from 'kysely'

/** The smallest power of two that holds `count`. */
export function paddedSize(count: number): number {
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

/** 256 rows of 21 columns stay far below every database's limit of parameters. */
const LARGEST_INSERT = 256

/**
 * Inserts of any number of rows as statements of 1, 2, 4, … rows, each compiled
 * once. The rows must come from one function, so that their keys are in one order.
 */
export class InsertStatements<Row extends object> {
  readonly #compile: (rows: readonly Row[]) => CompiledQuery
  readonly #compiled = new Map<number, CompiledQuery>()

  constructor(compile: (rows: readonly Row[]) => CompiledQuery) {
    this.#compile = compile
  }

  of(rows: readonly Row[]): readonly CompiledQuery[] {
    const statements: CompiledQuery[] = []
    for (let from = 0; from < rows.length; ) {
      const size = Math.min(LARGEST_INSERT, 2 ** Math.floor(Math.log2(rows.length - from)))
      statements.push(this.#statement(rows.slice(from, from + size)))
      from += size
    }
    return statements
  }

  #statement(rows: readonly Row[]): CompiledQuery {
    const known = this.#compiled.get(rows.length)
    if (known !== undefined) return { ...known, parameters: rows.flatMap((row) => Object.values(row)) }
    const fresh = this.#compile(rows)
    this.#compiled.set(rows.length, fresh)
    return fresh
  }
}

import type { Compilable, CompiledQuery, QueryResult } from 'kysely'

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

import { printable } from '../printable.ts'
import type { Environment } from './environment.ts'
import { masked } from './quoted.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** Everything that is wrong with the environment, each with the variable's name and what it should be. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Collects what is wrong with an environment, so that all of it can be told at once. */
export class Problems {
  readonly warnings: string[]
  readonly #environment: Environment
  readonly #byName = new Map<VariableName, string[]>()

  constructor(environment: Environment) {
    this.#environment = environment
    this.warnings = [...environment.warnings]
  }

  /** `problem` completes the sentence "QSCOPE_X …". */
  add(name: VariableName, problem: string): void {
    const others = this.#byName.get(name) ?? []
    this.#byName.set(name, [...others, `${name}: ${problem}`])
  }

  warn(warning: string): void {
    this.warnings.push(warning)
  }

  /** Whether the variable was set, to whatever value. */
  isSet(name: VariableName): boolean {
    return this.#environment.values.has(name)
  }

  /** Whether the variable has a problem; then its default stands in for it. */
  isBroken(name: VariableName): boolean {
    return this.#byName.has(name)
  }

  /** Throws `ConfigError` if there is any problem. They are told in the order of the variables. */
  throwIfAny(): void {
    const inOrder = Object.values(VARIABLES).flatMap(({ name }) => this.#byName.get(name) ?? [])
    const problems = [...this.#environment.problems, ...inOrder]
    if (problems.length === 0) return
    throw new ConfigError(problems.map((problem) => presentable(problem, this.#environment)))
  }
}

const LONGEST_PROBLEM = 900

/**
 * One line that a terminal can show. Paths and what the system says of them may have line ends in them, and a
 * password, where somebody mistook the variable.
 */
function presentable(problem: string, { values }: Environment): string {
  let text = problem
  for (const value of values.values()) {
    const shown = masked(value)
    if (shown !== value) text = text.replaceAll(value, () => shown)
  }
  const line = printable(text)
  return line.length > LONGEST_PROBLEM ? `${line.slice(0, LONGEST_PROBLEM)}…` : line
}

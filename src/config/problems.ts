import { printable } from '../printable.ts'
import type { Environment } from './environment.ts'
import { masked } from './quoted.ts'
import { VARIABLES, type VariableName } from './variables.ts'

/** All problems of the environment. Each names the variable and the expected value. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Collects the problems of an environment, to report all of them at once. */
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

  /** Whether the variable is set, to any value. */
  isSet(name: VariableName): boolean {
    return this.#environment.values.has(name)
  }

  /** Whether the variable has a problem. Its default is then used to continue. */
  isBroken(name: VariableName): boolean {
    return this.#byName.has(name)
  }

  /** Throws `ConfigError` if there are problems, in the order of the variables. */
  throwIfAny(): void {
    const inOrder = Object.values(VARIABLES).flatMap(({ name }) => this.#byName.get(name) ?? [])
    const problems = [...this.#environment.problems, ...inOrder]
    if (problems.length === 0) return
    throw new ConfigError(problems.map((problem) => presentable(problem, this.#environment)))
  }
}

const LONGEST_PROBLEM = 900

/**
 * Formats a problem as one printable line. Paths and system messages may contain line ends. They may also contain a password
 * that was put into the wrong variable.
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

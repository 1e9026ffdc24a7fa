import type { Environment } from './environment.ts'
import { Problems } from './problems.ts'
import { notValue } from './quoted.ts'
import { type Derived, derive, effectiveValues, type ParseOptions } from './rules.ts'
import { NOT_UNDERSTOOD } from './value-types.ts'
import { type Variable, valuesOf } from './variable.ts'
import { SERVER_VARIABLES, VARIABLES, type Values, type VariableName } from './variables.ts'

/**
 * The parsed configuration: the values of the variables, in the shape of `SERVER_VARIABLES`, and the values that are derived
 * from several of them.
 */
export interface Config extends Omit<Values, keyof Derived>, Derived {
  readonly warnings: readonly string[]
  /** The effective values of all variables, in the order of the table. */
  readonly settings: readonly Setting[]
}

/** The printable effective value of one variable. */
export interface Setting {
  readonly name: VariableName
  /** Secrets are masked. */
  readonly value: string
  readonly source: 'environment' | 'file' | 'default'
}

/** Parses the environment into a frozen configuration. Throws `ConfigError` with all problems at once. */
export function parseConfig(
  environment: Environment,
  options: ParseOptions = { terminal: false, usesKeyring: true },
): Config {
  const problems = new Problems(environment)
  const parsed = new Map<string, unknown>(
    ALL.map((variable) => [variable.name, readVariable(variable, environment, problems)]),
  )
  const values = valuesOf(SERVER_VARIABLES, ({ name }) => parsed.get(name))
  const derived = derive(values, problems, options)
  problems.throwIfAny()
  const effective = effectiveValues(values, derived)
  const settings = ALL.map(
    (variable): Setting => ({
      name: variable.name,
      value: effective[variable.name] ?? shown(variable, parsed.get(variable.name)),
      source: sourceOf(variable.name, environment),
    }),
  )
  return Object.freeze({ ...values, ...derived, warnings: problems.warnings, settings })
}

/** The effective values of all variables, secrets masked. */
export function describeConfig(config: Config): readonly Setting[] {
  return config.settings
}

const ALL: readonly Variable<VariableName>[] = Object.values(VARIABLES)

/** The value of a variable. An invalid value is reported, and the default is used to continue. */
function readVariable(
  { name, type, ...variable }: Variable<VariableName>,
  environment: Environment,
  problems: Problems,
) {
  const text = environment.values.get(name)
  if (text !== undefined) {
    const result = type.schema.safeParse(text)
    if (result.success) return result.data
    const reason = result.error.issues.find(({ code }) => code === 'custom')?.message ?? NOT_UNDERSTOOD
    const why = reason === NOT_UNDERSTOOD ? '' : `: it ${reason}`
    problems.add(name, `should be ${type.shouldBe}${notValue(name, text)}${why}`)
  }
  return variable.default === null ? null : type.schema.parse(variable.default)
}

/** `null` is a value only for variables that accept `off`. For these it may also be the default. */
function shown(variable: Variable, value: unknown): string {
  return value === null && variable.default === null ? '(none)' : variable.type.format(value)
}

function sourceOf(name: VariableName, { fromFile, values }: Environment): Setting['source'] {
  if (fromFile.has(name)) return 'file'
  return values.has(name) ? 'environment' : 'default'
}

import type { ValueType } from './value-types.ts'

/** An environment variable. `Default` is `null` if the default depends on other variables. */
export class Variable<Name extends string = string, Value = unknown, Default extends string | null = string | null> {
  readonly name: Name
  /** Parses and shows its value. */
  readonly type: ValueType<Value>
  /** In written form. */
  readonly default: Default
  /** The effect of an unset variable, in words. `null`: the default states it. */
  readonly unset: string | null
  /** A value. For a secret, the assignment of its file. `null`: the default or the type shows a value. */
  readonly example: string | null
  /** Its effect in one or two sentences, for the person who sets it. */
  readonly does: string
  /** Whether its value is or contains a secret. It is then masked when shown, and also read from `<name>_FILE`. */
  readonly secret: boolean

  constructor(name: Name, type: ValueType<Value>, description: Description<Default>) {
    this.name = name
    this.type = type
    this.default = description.default
    this.unset = description.unset ?? null
    this.does = description.does
    this.secret = description.secret ?? false
    const { example = null } = description
    this.example = example !== null && this.secret ? `${name}_FILE=${example}` : example
  }

  /** Completes the sentence "QSCOPE_X should be …". */
  get shouldBe(): string {
    return this.type.shouldBe
  }
}

/** A default that depends on other variables needs a description. */
type Description<Default> = {
  readonly does: string
  readonly default: Default
  readonly unset?: string
  /** For a secret, the path of its file. */
  readonly example?: string
  readonly secret?: true
} & (Default extends null ? { readonly unset: string } : unknown)

/** Variables by their names in the configuration. Groups may be nested. */
export interface VariableTable {
  readonly [property: string]: Variable | VariableTable
}

/** The type of a table's values, in its shape. A variable without a default of its own may be `null`. */
export type ValuesOf<Table> = {
  readonly [Property in keyof Table]: Table[Property] extends Variable<string, infer Value, infer Default>
    ? Default extends string
      ? Value
      : Value | null
    : ValuesOf<Table[Property]>
}

/** The environment names of a table's variables. */
export type NamesOf<Table> = {
  readonly [Property in keyof Table]: Table[Property] extends Variable<infer Name> ? Name : NamesOf<Table[Property]>
}[keyof Table]

/** The variables of a table by environment name, in its order. */
export function byName<Table extends VariableTable>(table: Table) {
  const entries = variablesOf(table).map((variable) => [variable.name, variable])
  // `NamesOf` derives the names from the same table.
  return Object.freeze(Object.fromEntries(entries)) as { readonly [Name in NamesOf<Table>]: Variable<Name> }
}

function variablesOf(table: VariableTable): readonly Variable[] {
  return Object.values(table).flatMap((entry) => (entry instanceof Variable ? [entry] : variablesOf(entry)))
}

/** Replaces each variable of a table with the result of `read`. */
export function valuesOf<Table extends VariableTable>(
  table: Table,
  read: (variable: Variable) => unknown,
): ValuesOf<Table> {
  const entries = Object.entries(table).map(([property, entry]) => [
    property,
    entry instanceof Variable ? read(entry) : valuesOf(entry, read),
  ])
  // `read` returns values of the variable's type, from which `ValuesOf` derives its types.
  return Object.freeze(Object.fromEntries(entries)) as ValuesOf<Table>
}

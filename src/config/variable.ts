import type { ValueType } from './value-types.ts'

/** A variable of the environment. `Default` is `null` where the default depends on other variables. */
export class Variable<Name extends string = string, Value = unknown, Default extends string | null = string | null> {
  readonly name: Name
  /** How its value is read and shown. */
  readonly type: ValueType<Value>
  /** As it would be written. */
  readonly default: Default
  /** What counts while it is not set, in words; `null`: the default says it. */
  readonly unset: string | null
  /** What it changes, in a sentence or two for whoever sets it. */
  readonly does: string
  /** Whether its value is or contains a secret: masked when shown, and taken from `<name>_FILE` too. */
  readonly secret: boolean

  constructor(name: Name, type: ValueType<Value>, description: Description<Default>) {
    this.name = name
    this.type = type
    this.default = description.default
    this.unset = description.unset ?? null
    this.does = description.does
    this.secret = description.secret ?? false
  }

  /** Completes the sentence "QSCOPE_X should be …". */
  get shouldBe(): string {
    return this.type.shouldBe
  }
}

/** A default that depends on other variables must be told in words. */
type Description<Default> = {
  readonly does: string
  readonly default: Default
  readonly unset?: string
  readonly secret?: true
} & (Default extends null ? { readonly unset: string } : unknown)

/** Variables, by the names that they have in the configuration; groups may be nested. */
export interface VariableTable {
  readonly [property: string]: Variable | VariableTable
}

/** The values of a table's variables, in its shape. What has no default of its own may be `null`. */
export type ValuesOf<Table> = {
  readonly [Property in keyof Table]: Table[Property] extends Variable<string, infer Value, infer Default>
    ? Default extends string
      ? Value
      : Value | null
    : ValuesOf<Table[Property]>
}

/** The names of a table's variables. */
export type NamesOf<Table> = {
  readonly [Property in keyof Table]: Table[Property] extends Variable<infer Name> ? Name : NamesOf<Table[Property]>
}[keyof Table]

/** The variables of a table by their names in the environment, in its order. */
export function byName<Table extends VariableTable>(table: Table) {
  const entries = variablesOf(table).map((variable) => [variable.name, variable])
  // `NamesOf` reads the names off the same table.
  return Object.freeze(Object.fromEntries(entries)) as { readonly [Name in NamesOf<Table>]: Variable<Name> }
}

function variablesOf(table: VariableTable): readonly Variable[] {
  return Object.values(table).flatMap((entry) => (entry instanceof Variable ? [entry] : variablesOf(entry)))
}

/** Puts what `read` gives for each variable in the variable's place. */
export function valuesOf<Table extends VariableTable>(
  table: Table,
  read: (variable: Variable) => unknown,
): ValuesOf<Table> {
  const entries = Object.entries(table).map(([property, entry]) => [
    property,
    entry instanceof Variable ? read(entry) : valuesOf(entry, read),
  ])
  // `read` gives what the variable's own type reads, from which `ValuesOf` takes the types.
  return Object.freeze(Object.fromEntries(entries)) as ValuesOf<Table>
}

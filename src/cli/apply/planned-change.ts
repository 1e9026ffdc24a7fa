import type { JsonValue } from '@bufbuild/protobuf'

/** What is to become of an object. `mark`: it only gets an owner. */
export type Action = 'register' | 'update' | 'mark' | 'rotate' | 'disable' | 'delete' | 'none'

/** A field that is another one now than in the document. */
export interface Difference {
  readonly field: string
  /** `null`: not set, or not to be shown. */
  readonly before: JsonValue
  readonly after: JsonValue
}

/** What applying one document would change, or one object that no document describes any more. */
export interface PlannedChange {
  readonly kind: KindName
  readonly name: string
  readonly action: Action
  readonly differences: readonly Difference[]
  /** What whoever reads the plan should know, one line each. */
  readonly notes: readonly string[]
  /** Makes it so; throws `CallFailure`, of which `isOutdated` tells whether to plan anew. */
  readonly apply: () => Promise<void>
}

/** What documents describe. */
export type KindName = 'Client' | 'TrustedIssuer' | 'User'

/** A document is not applicable: what is wrong with it, one line each. */
export class UnsoundDocument extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.name = 'UnsoundDocument'
    this.problems = problems
  }
}

/** Whether a change is one of what documents say; else it is about who manages the object. */
export function changesContent({ action, differences }: PlannedChange): boolean {
  return action === 'register' || action === 'disable' || action === 'delete' || differences.length > 0
}

/** The fields of two JSON objects that differ. The order of a list means nothing, unless the field is among `ordered`. */
export function differencesOf(
  before: Readonly<Record<string, JsonValue>>,
  after: Readonly<Record<string, JsonValue>>,
  {
    prefix = '',
    hidden = new Set(),
    ordered = new Set(),
  }: {
    readonly prefix?: string
    readonly hidden?: ReadonlySet<string>
    readonly ordered?: ReadonlySet<string>
  } = {},
): readonly Difference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    const [old = null, next = null] = [before[name], after[name]]
    const field = prefix + name
    if (isObject(old) && isObject(next) && prefix === '')
      return differencesOf(old, next, { prefix: `${field}.`, hidden, ordered })
    const text = ordered.has(field) ? inOrder : comparable
    if (text(old) === text(next)) return []
    return [hidden.has(field) ? { field, before: null, after: null } : { field, before: old, after: next }]
  })
}

function isObject(value: JsonValue): value is { [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function inOrder(value: JsonValue): string {
  return Array.isArray(value) ? JSON.stringify(value.map(comparable)) : comparable(value)
}

function comparable(value: JsonValue): string {
  if (Array.isArray(value)) return JSON.stringify(value.map(comparable).toSorted())
  if (!isObject(value)) return JSON.stringify(value)
  return JSON.stringify(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

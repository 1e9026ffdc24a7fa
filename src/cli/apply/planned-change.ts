import type { JsonValue } from '@bufbuild/protobuf'

/** The action for an object. `mark`: only its owner is set. */
export type Action = 'register' | 'update' | 'mark' | 'rotate' | 'disable' | 'delete' | 'none'

/** A field whose value differs from the document. */
export interface Difference {
  readonly field: string
  /** `null`: not set, or hidden. */
  readonly before: JsonValue
  readonly after: JsonValue
}

/** The change for one document, or for one object that no document describes any more. */
export interface PlannedChange {
  readonly kind: KindName
  readonly name: string
  readonly action: Action
  readonly differences: readonly Difference[]
  /** Notes for the reader of the plan, one line each. */
  readonly notes: readonly string[]
  /** Whether a secret will be generated, which needs a place. */
  readonly drawsSecret?: boolean
  /** Applies the change. Throws `CallFailure`; `isOutdated` tells whether to plan again. */
  readonly apply: () => Promise<void>
}

/** What documents describe. */
export type KindName = 'Client' | 'TrustedIssuer' | 'User'

/** A document cannot be applied. Contains its problems, one line each. */
export class UnsoundDocument extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.name = 'UnsoundDocument'
    this.problems = problems
  }
}

/** Whether a change affects the documented fields, not only the owner. */
export function changesContent({ action, differences }: PlannedChange): boolean {
  return action === 'register' || action === 'disable' || action === 'delete' || differences.length > 0
}

/** The fields that differ between two JSON objects. The order of a list is ignored, except for fields in `ordered`. */
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

import type { Refusal } from '../api/refusal.ts'

/** How a field that can be changed is called: by people, and in an update mask. */
export interface Field<Draft> {
  readonly label: string
  readonly path: string
  /** Its value, a line for each part. */
  readonly linesOf: (draft: Draft) => readonly string[]
}

/** The fields of what a form creates and changes. */
export interface FieldTable<Draft> {
  /** Where an update has the fields, such as `client.`. */
  readonly prefix: string
  readonly changeable: Readonly<Partial<Record<keyof Draft, Field<Draft>>>>
  /** Further paths of violations, and the fields that show them. */
  readonly others: Readonly<Record<string, keyof Draft>>
}

/** What differs in one field. */
export interface Change<Draft> {
  readonly key: keyof Draft
  readonly label: string
  readonly path: string
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

/** What an update from one to the other would change. The order of a list, and white space, do not count. */
export function changesOf<Draft>(table: FieldTable<Draft>, before: Draft, after: Draft): readonly Change<Draft>[] {
  return entriesOf(table).flatMap(([key, { label, path, linesOf }]) => {
    const [old, now] = [linesOf(before), linesOf(after)]
    const removed = old.filter((each) => !now.includes(each))
    const added = now.filter((each) => !old.includes(each))
    return removed.length + added.length === 0 ? [] : [{ key, label, path, removed, added }]
  })
}

/** The current version with what was changed from `base` to `mine`. Fields that were left alone follow the current one. */
export function rebased<Draft>(table: FieldTable<Draft>, base: Draft, mine: Draft, current: Draft): Draft {
  const own = changesOf(table, base, mine).map(({ key }) => [key, mine[key]])
  // Each key with its own value of the same type.
  return { ...current, ...(Object.fromEntries(own) as Partial<Draft>) }
}

/** What the server says of each field of the form. */
export function problemsOf<Draft>(table: FieldTable<Draft>, refusal: Refusal | null): ReadonlyMap<keyof Draft, string> {
  const problems = new Map<keyof Draft, string>()
  for (const { field, description } of refusal?.violations ?? []) {
    const key = fieldOfViolation(table, field)
    if (key !== undefined) problems.set(key, description)
  }
  return problems
}

/**
 * The field of the form that a violation of the contract's rules is about, in a creation or in an update; `undefined`:
 * none of them.
 */
export function fieldOfViolation<Draft>(table: FieldTable<Draft>, path: string): keyof Draft | undefined {
  const { prefix, others } = table
  const [start = ''] = (path.startsWith(prefix) ? path.slice(prefix.length) : path).split('[', 1)
  return entriesOf(table).find(([, field]) => field.path === start)?.[0] ?? others[start]
}

function entriesOf<Draft>({ changeable }: FieldTable<Draft>): readonly [keyof Draft, Field<Draft>][] {
  // The keys of the table are keys of a draft.
  return Object.entries(changeable) as [keyof Draft, Field<Draft>][]
}

/** The value of a text as a list of lines: none where it is empty. */
export function lineOf(text: string): readonly string[] {
  return text.trim() === '' ? [] : [text.trim()]
}

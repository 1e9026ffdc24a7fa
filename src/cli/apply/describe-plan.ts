import type { JsonValue } from '@bufbuild/protobuf'
import { printable } from '../../printable.ts'
import type { Action, PlannedChange } from './planned-change.ts'

const SIGNS: Readonly<Record<Action, string>> = Object.freeze({
  register: '+',
  update: '~',
  mark: '~',
  rotate: '~',
  disable: '-',
  delete: '-',
  none: ' ',
})

const NOT_SHOWN = '(not shown)'

/**
 * Formats a plan as lines: one for each change with its fields below, and the number of unchanged objects. They never contain
 * secrets.
 */
export function describePlan(changes: readonly PlannedChange[]): readonly string[] {
  const changed = changes.filter(({ action }) => action !== 'none')
  const noted = changes.filter(({ action, notes }) => action === 'none' && notes.length > 0)
  const unchanged = changes.length - changed.length
  return [...describeChanges([...changed, ...noted]), `${unchanged} unchanged`]
}

/** Formats changes as lines, each with its fields below. */
export function describeChanges(changes: readonly PlannedChange[]): readonly string[] {
  return changes.flatMap(linesOf)
}

function linesOf({ kind, name, action, differences, notes }: PlannedChange): readonly string[] {
  const why = notes.length === 0 ? '' : `  (${notes.join('; ')})`
  return [
    `${SIGNS[action]} ${kind} ${printable(name)}  ${action === 'none' ? 'unchanged' : action}${why}`,
    ...differences.map(({ field, before, after }) =>
      before === null && after === null
        ? `    ${field}: ${NOT_SHOWN}`
        : `    ${field}: ${valueText(before)} → ${valueText(after)}`,
    ),
  ]
}

function valueText(value: JsonValue): string {
  if (value === null) return 'unset'
  // Spaces, at which a terminal's lines may end.
  return Array.isArray(value)
    ? `[${value.map((item) => printable(JSON.stringify(item))).join(', ')}]`
    : printable(JSON.stringify(value))
}

/** The same as JSON. */
export function planJson(changes: readonly PlannedChange[]): JsonValue {
  return changes.map(({ kind, name, action, differences, notes }) => ({
    ...{ kind, name, action },
    differences: differences.map(({ field, before, after }) => ({ field, before, after })),
    notes: [...notes],
  }))
}

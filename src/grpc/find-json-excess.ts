import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { holdsSecret } from '../domain/secret-text.ts'
import type { FieldViolation } from '../errors/registry.ts'
import type { MessageBounds } from './request-bounds.ts'

const SHOWN_KEY = /^[A-Za-z0-9_]{1,64}$/

/**
 * Walks a request in JSON and finds a list with more items than validation would
 * accept, or a key that the schema does not know; `null`: none. A misspelt
 * `scopes` would otherwise count as absent, and ask for all there are. What does
 * not fit the schema in other ways is left for the parser to refuse.
 */
export function findJsonExcess(
  value: unknown,
  message: DescMessage,
  bounds: MessageBounds,
  path = '',
): FieldViolation | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  for (const [key, held] of Object.entries(value)) {
    const field = message.fields.find(({ jsonName, name }) => jsonName === key || name === key)
    const bound = field && bounds.fields.get(field.number)
    if (field === undefined || bound === undefined) {
      // What stands in the wrong place is as secret as in the right one.
      const shown = SHOWN_KEY.test(key) && !holdsSecret(key) ? key : '…'
      return { field: join(path, shown), description: 'is not a field of the request' }
    }
    const inner = join(path, bound.name)
    const items = itemsOf(held)
    if (bound.maxItems !== null && items.length > bound.maxItems) {
      return { field: inner, description: `must have at most ${bound.maxItems} items` }
    }
    const nested = messageOf(field)
    if (nested === null || bound.message === null) continue
    for (const item of bound.maxItems === null ? [held] : items) {
      const excess = findJsonExcess(item, nested, bound.message, inner)
      if (excess !== null) return excess
    }
  }
  return null
}

/** Of a list or a map. */
function itemsOf(held: unknown): readonly unknown[] {
  if (Array.isArray(held)) return held
  return typeof held === 'object' && held !== null ? Object.values(held) : []
}

/** A message with a form of its own in JSON, such as a duration, has no keys of fields. */
function messageOf(field: DescField): DescMessage | null {
  if (field.fieldKind !== 'message' && field.fieldKind !== 'list') return null
  const { message = null } = field
  return message === null || message.typeName.startsWith('google.protobuf.') ? null : message
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

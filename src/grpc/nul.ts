import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'

const NUL = '\0'

/**
 * The names of the fields of a message whose texts hold U+0000, at any depth:
 * there is no honest use for it, and not every database can keep it, or look for
 * it. `encoded`: the bytes it came as, which tell most messages at a glance.
 */
export function fieldsWithNul(schema: DescMessage, message: Message, encoded: Uint8Array | null): readonly string[] {
  if (encoded !== null && !encoded.includes(0)) return []
  return schema.fields.filter((field) => holdsNul(Reflect.get(message, ownerOf(field)))).map(({ name }) => name)
}

function ownerOf(field: DescField): string {
  return field.oneof?.localName ?? field.localName
}

/** The keys of maps are looked at too; unknown fields, which nobody reads, are not. */
function holdsNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(NUL)
  if (Array.isArray(value)) return value.some(holdsNul)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return Object.entries(value).some(([key, each]) => key.includes(NUL) || (key !== '$unknown' && holdsNul(each)))
}

import { type DescField, ScalarType } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'

/** What protobuf's JSON requires of a field, such as `must be a list of strings`. */
export function jsonExpectation(field: DescField): string {
  const [one, many] = wordsFor(field)
  switch (field.fieldKind) {
    case 'list':
      return `must be a list of ${many}`
    case 'map':
      return `must be an object whose values are ${many}`
    case 'enum':
    case 'message':
    case 'scalar':
      return `must be ${one}`
    default:
      return field satisfies never
  }
}

/** One value of the field in words, and several. */
function wordsFor(field: DescField): readonly [string, string] {
  const { message, scalar } = field
  if (field.enum !== undefined) {
    const known = field.enum.values.filter(({ number }) => number !== 0).map(({ name }) => name)
    return [`one of ${known.join(', ')}`, `names of ${known.join(', ')}`]
  }
  if (message === undefined) return scalarOf(scalar)
  switch (message.typeName) {
    case 'google.protobuf.Timestamp':
      return ['a time such as "2026-01-31T12:00:00Z"', 'times such as "2026-01-31T12:00:00Z"']
    case 'google.protobuf.Duration':
      return ['a duration in seconds such as "300s"', 'durations in seconds such as "300s"']
    case 'google.protobuf.FieldMask':
      return ['one string of field paths with commas between them', 'strings of field paths']
    default:
      return isWrapperDesc(message) ? scalarOf(message.fields[0]?.scalar) : ['an object', 'objects']
  }
}

function scalarOf(scalar: ScalarType | undefined): readonly [string, string] {
  switch (scalar) {
    case ScalarType.STRING:
      return ['a string', 'strings']
    case ScalarType.BYTES:
      return ['a string in base64', 'strings in base64']
    case ScalarType.BOOL:
      return ['true or false', 'true or false']
    default:
      return ['a number', 'numbers']
  }
}

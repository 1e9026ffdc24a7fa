import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from '@bufbuild/protobuf'
import { field as fieldRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'

/** For lists whose rules give no number. */
const DEFAULT_ITEMS = 10_000
/** Fields that no encoder needs to send: unknown ones, and repetitions of one that has a single value. */
const SPARE_FIELDS = 1_000

/** What a list may hold: values, or messages that are looked into. */
export interface FieldBounds {
  readonly name: string
  /** `null`: not a list. */
  readonly maxItems: number | null
  /** Several values may come in one field. */
  readonly packing: 'none' | 'varint' | 'fixed32' | 'fixed64'
  /** `null`: not a message. */
  readonly message: MessageBounds | null
}

/** How much of everything an encoded message may hold, by field number. */
export interface MessageBounds {
  readonly fields: ReadonlyMap<number, FieldBounds>
  /** Fields in all, at every depth. */
  readonly maxFields: number
}

/** Reads the bounds from the `buf.validate` rules of a schema, once at the start. */
export function requestBounds(input: DescMessage): MessageBounds {
  const bounds = boundsOf(input, [])
  return { ...bounds, maxFields: bounds.maxFields + SPARE_FIELDS }
}

function boundsOf(message: DescMessage, within: readonly DescMessage[]): MessageBounds {
  const fields = new Map<number, FieldBounds>()
  let maxFields = 0
  for (const field of message.fields) {
    const nested = messageOf(field)
    // A message inside itself is not looked into: QScope has none.
    const inner = nested === null || within.includes(nested) ? null : boundsOf(nested, [...within, message])
    const maxItems = maxItemsOf(field)
    fields.set(field.number, { name: field.name, maxItems, packing: packingOf(field), message: inner })
    maxFields += (maxItems ?? 1) * (1 + (inner?.maxFields ?? (field.fieldKind === 'map' ? 2 : 0)))
  }
  return { fields, maxFields }
}

function messageOf(field: DescField): DescMessage | null {
  switch (field.fieldKind) {
    case 'message':
      return field.message
    case 'list':
      return field.message ?? null
    case 'map':
    case 'scalar':
    case 'enum':
      return null
    default:
      return field satisfies never
  }
}

function maxItemsOf(field: DescField): number | null {
  if (field.fieldKind !== 'list' && field.fieldKind !== 'map') return null
  const { type } = hasOption(field, fieldRules) ? getOption(field, fieldRules) : { type: undefined }
  const most = type?.case === 'repeated' ? type.value.maxItems : type?.case === 'map' ? type.value.maxPairs : 0n
  return most > 0n ? Number(most) : DEFAULT_ITEMS
}

function packingOf(field: DescField): FieldBounds['packing'] {
  if (field.fieldKind !== 'list') return 'none'
  if (field.listKind === 'enum') return 'varint'
  if (field.listKind === 'message') return 'none'
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 'none'
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return 'fixed32'
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return 'fixed64'
    default:
      return 'varint'
  }
}

import { type DescField, type DescMessage, type DescOneof, getOption, hasOption, ScalarType } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { field as fieldRules, type StringRules } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { jsonExpectation } from './json-expectation.ts'

/** The limit of all paths of a mask in bytes. The paths of all existing fields take a few hundred. */
export const MAX_MASK_BYTES = 65_536

/** For lists without a limit in their rules. */
const DEFAULT_ITEMS = 10_000

/** Wire types of the protobuf encoding. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** The wire type of a value. */
export type Encoding = typeof VARINT | typeof FIXED64 | typeof BYTES | typeof FIXED32

/** The JSON form of a value. */
export type JsonForm =
  /** A text that may be long. */
  | 'text'
  /** A number, a boolean, the name of an enum value, or a time. Never long. */
  | 'short'
  | 'duration'
  /** Paths in one string, separated by commas. */
  | 'mask'
  | 'message'
  /** A value without a schema, such as a `Struct`. Rejected. */
  | 'any'

/** The limits of one field of a request. */
export interface FieldLimits {
  readonly name: string
  /** The counter for occurrences in JSON. Each field has its own. */
  readonly jsonSlot: number
  /** The counter in the binary encoding. The members of a oneof share one, because only one of them may be set. */
  readonly slot: number
  readonly oneof: string | null
  /** The most values. */
  readonly max: number
  readonly kind: 'single' | 'list' | 'map'
  readonly encoding: Encoding
  /** One occurrence may contain several values (packed). */
  readonly packable: boolean
  readonly json: JsonForm
  /** The description of the violation if the JSON value has another type or format. */
  readonly jsonExpectation: string
  /** A text that must not contain U+0000. It may be stored or looked up, and some databases cannot store it. */
  readonly refusesNul: boolean
  /** Whether it is the key of a map entry. */
  readonly isKey: boolean
  /** The limits of the nested message, or of the map's entries. `null`: none. */
  readonly message: MessageLimits | null
}

/** The limits of a message. */
export interface MessageLimits {
  readonly byNumber: ReadonlyMap<number, FieldLimits>
  /** By the contract's name and the JSON name. */
  readonly byName: ReadonlyMap<string, FieldLimits>
  readonly fields: readonly FieldLimits[]
  /** The number of counters, in either encoding. */
  readonly slots: number
}

/**
 * Reads from a schema and its `buf.validate` rules what a message may hold.
 *
 * @param known what was read so far, of this message and those inside of it.
 * @throws Error for a map with keys that are not text: their spellings could not be compared.
 */
export function messageLimits(schema: DescMessage, known = new Map<DescMessage, MessageLimits>()): MessageLimits {
  const before = known.get(schema)
  if (before !== undefined) return before
  const byNumber = new Map<number, FieldLimits>()
  const byName = new Map<string, FieldLimits>()
  const fields: FieldLimits[] = []
  const limits = { byNumber, byName, fields, slots: schema.fields.length }
  // Set before the fields, for recursive messages.
  known.set(schema, limits)
  const slots = new Map<DescField | DescOneof, number>()
  for (const [jsonSlot, field] of schema.fields.entries()) {
    const place = field.oneof ?? field
    const slot = slots.get(place) ?? slots.size
    slots.set(place, slot)
    const own = fieldLimits(field, jsonSlot, slot, known)
    fields.push(own)
    byNumber.set(field.number, own)
    byName.set(field.name, own).set(field.jsonName, own)
  }
  return limits
}

function fieldLimits(
  field: DescField,
  jsonSlot: number,
  slot: number,
  known: Map<DescMessage, MessageLimits>,
): FieldLimits {
  const kind = field.fieldKind === 'list' || field.fieldKind === 'map' ? field.fieldKind : 'single'
  const encoding = encodingOf(field)
  return {
    name: field.name,
    jsonSlot,
    slot,
    oneof: field.oneof?.name ?? null,
    max: maxOf(field),
    kind,
    encoding,
    packable: kind === 'list' && encoding !== BYTES,
    json: jsonFormOf(field),
    jsonExpectation: jsonExpectation(field),
    refusesNul: field.scalar === ScalarType.STRING && field.fieldKind !== 'map' && !isPresentedSecret(field),
    isKey: false,
    message:
      field.fieldKind === 'map'
        ? entryLimits(field, known)
        : field.message === undefined
          ? null
          : messageLimits(field.message, known),
  }
}

/** In the binary encoding, a map entry is a message. In JSON, `value` describes the values. */
function entryLimits(field: DescField & { fieldKind: 'map' }, known: Map<DescMessage, MessageLimits>): MessageLimits {
  if (field.mapKey !== ScalarType.STRING) throw new Error(`${field} has keys that are not text`)
  const common = { oneof: null, max: 1, kind: 'single', packable: false } as const
  const key: FieldLimits = {
    ...common,
    name: 'key',
    jsonSlot: 0,
    slot: 0,
    encoding: BYTES,
    json: 'text',
    jsonExpectation: 'must be a string',
    refusesNul: true,
    isKey: true,
    message: null,
  }
  const value: FieldLimits = {
    ...common,
    name: 'value',
    jsonSlot: 1,
    slot: 1,
    encoding: field.mapKind === 'message' ? BYTES : field.mapKind === 'enum' ? VARINT : encodingOfScalar(field.scalar),
    json: jsonFormOf(field),
    jsonExpectation: jsonExpectation(field),
    refusesNul: field.scalar === ScalarType.STRING,
    isKey: false,
    message: field.message === undefined ? null : messageLimits(field.message, known),
  }
  return {
    byNumber: new Map([
      [1, key],
      [2, value],
    ]),
    byName: new Map(),
    fields: [key, value],
    slots: 2,
  }
}

function rulesOf(field: DescField) {
  return hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined
}

function maxOf(field: DescField): number {
  if (field.fieldKind !== 'list' && field.fieldKind !== 'map') return 1
  const rules = rulesOf(field)
  const most = rules?.case === 'repeated' ? rules.value.maxItems : rules?.case === 'map' ? rules.value.maxPairs : 0n
  return most > 0n ? Number(most) : DEFAULT_ITEMS
}

/**
 * A secret presented by the caller, whose schema has no maximum length and no form. Any text is accepted here, and the flow
 * evaluates it. It is never stored or looked up unchanged.
 */
function isPresentedSecret(field: DescField): boolean {
  const rules = stringRulesOf(field)
  const isBounded = rules !== null && (rules.maxLen > 0n || rules.pattern !== '')
  return field.proto.options?.debugRedact === true && !isBounded
}

function stringRulesOf(field: DescField): StringRules | null {
  const rules = rulesOf(field)
  const own = rules?.case === 'repeated' ? rules.value.items?.type : rules
  return own?.case === 'string' ? own.value : null
}

/** The maximum length of a field's texts in characters. `null`: none. */
export function longestText(field: DescField): number | null {
  const most = stringRulesOf(field)?.maxLen ?? 0n
  return most > 0n ? Number(most) : null
}

function encodingOf(field: DescField): Encoding {
  switch (field.fieldKind) {
    case 'message':
    case 'map':
      return BYTES
    case 'enum':
      return VARINT
    case 'scalar':
      return encodingOfScalar(field.scalar)
    case 'list':
      if (field.listKind === 'message') return BYTES
      return field.listKind === 'enum' ? VARINT : encodingOfScalar(field.scalar)
    default:
      return field satisfies never
  }
}

function encodingOfScalar(scalar: ScalarType): Encoding {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return BYTES
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return FIXED32
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return FIXED64
    case ScalarType.BOOL:
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
      return VARINT
    default:
      return scalar satisfies never
  }
}

function jsonFormOf(field: DescField): JsonForm {
  const { message, scalar } = field
  if (message === undefined) return scalar === ScalarType.STRING || scalar === ScalarType.BYTES ? 'text' : 'short'
  switch (message.typeName) {
    case 'google.protobuf.Any':
    case 'google.protobuf.Struct':
    case 'google.protobuf.Value':
    case 'google.protobuf.ListValue':
      return 'any'
    case 'google.protobuf.Timestamp':
      return 'short'
    case 'google.protobuf.Duration':
      return 'duration'
    case 'google.protobuf.FieldMask':
      return 'mask'
    default:
      return isWrapperDesc(message) ? 'text' : 'message'
  }
}

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import {
  type Arbitrary,
  array,
  bigInt,
  constant,
  constantFrom,
  nat,
  oneof,
  option,
  record,
  string,
  uint8Array,
} from 'fast-check'

/** A value on the wire; `known` is one from an earlier answer of the server, so that calls pass more checks. */
export type Value =
  | { readonly known: number; readonly as: string }
  | { readonly text: string; readonly times: number }
  | { readonly bytes: Uint8Array }
  | { readonly varint: bigint }
  | { readonly fixed: 32 | 64; readonly bits: bigint }
  | { readonly fields: readonly Field[] }
export type Field = { readonly no: number; readonly value: Value }

const MAX_DEPTH = 4
const WORDS = [
  'orders',
  '',
  'https://app.example/callback',
  'qscope:audit.read',
  'http://127.0.0.1:50051',
  '*',
  ' ',
  '\0',
]
const URN = 'urn:ietf:params:oauth:token-type:access_token'
const USUAL = [0n, 1n, 2n, 50n, 60n]
const NUMBERS = [0n, 1n, 2n, 50n, 60n, 1_000n, 86_400n, 999_999_999n, 0x7fffffffn, 0x80000000n, 0xffffffffffffffffn]

const known = (as: string) => nat(400).map((index): Value => ({ known: index, as }))
/** Mostly values that were seen in fields of this name. */
const textFor = (name: string): Arbitrary<Value> =>
  oneof({ weight: 12, arbitrary: known(name) }, { weight: 1, arbitrary: text })
const text: Arbitrary<Value> = oneof(
  { weight: 4, arbitrary: known('') },
  { weight: 4, arbitrary: constantFrom(...WORDS, URN).map((word): Value => ({ text: word, times: 1 })) },
  { weight: 2, arbitrary: string({ unit: 'binary', maxLength: 300 }).map((word): Value => ({ text: word, times: 1 })) },
  { weight: 1, arbitrary: constantFrom(10, 129, 1_025, 40_000).map((times): Value => ({ text: 'ä', times })) },
  // Mostly invalid UTF-8.
  { weight: 1, arbitrary: uint8Array({ maxLength: 64 }).map((bytes): Value => ({ bytes })) },
)
const varint: Arbitrary<Value> = oneof(
  { weight: 16, arbitrary: constantFrom(...USUAL) },
  { weight: 3, arbitrary: constantFrom(...NUMBERS) },
  { weight: 1, arbitrary: bigInt({ min: 0n, max: 0xffffffffffffffffn }) },
).map((value) => ({ varint: value }))

/** One value of a field, mostly of its type, and sometimes of another. */
function placeOf(field: DescField, depth: number): Arbitrary<Value> {
  const right = rightValueOf(field, depth)
  return oneof({ weight: 60, arbitrary: right }, { weight: 1, arbitrary: oneof(text, varint, fixed) })
}

const fixed: Arbitrary<Value> = record({
  fixed: constantFrom<32 | 64>(32, 64),
  bits: bigInt({ min: 0n, max: 0xffffffffn }),
})

function rightValueOf(field: DescField, depth: number): Arbitrary<Value> {
  if (field.fieldKind === 'map') {
    const value = field.mapKind === 'message' ? fieldsOf(field.message, depth + 1).map((fields) => ({ fields })) : text
    return record({ key: text, value }).map((entry) => ({
      fields: [
        { no: 1, value: entry.key },
        { no: 2, value: entry.value },
      ],
    }))
  }
  if (field.message !== undefined) return fieldsOf(field.message, depth + 1).map((fields) => ({ fields }))
  if (field.enum !== undefined) {
    const numbers = field.enum.values.map(({ number }) => BigInt(number))
    return oneof(
      { weight: 30, arbitrary: constantFrom(...numbers).map((value): Value => ({ varint: value })) },
      { weight: 1, arbitrary: varint },
    )
  }
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return textFor(field.localName)
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED32:
    case ScalarType.SFIXED64:
      return fixed
    default:
      return varint
  }
}

/** The fields of a message, in the order of the schema; several of one oneof are possible. */
function fieldsOf(message: DescMessage, depth: number): Arbitrary<readonly Field[]> {
  if (depth > MAX_DEPTH) return constant([])
  const each = message.fields.map((field) => {
    const one = placeOf(field, depth).map((value): Field => ({ no: field.number, value }))
    const isMany = field.fieldKind === 'list' || field.fieldKind === 'map'
    const some = isMany
      ? oneof(
          { weight: 30, arbitrary: array(one, { maxLength: 2 }) },
          { weight: 1, arbitrary: array(one, { maxLength: 130 }) },
        )
      : one.map((value) => [value])
    return option(some, { nil: [], freq: field.oneof === undefined ? 4 : 1 })
  })
  return each.reduce<Arbitrary<readonly Field[]>>(
    (before, next) => record({ before, next }).map((pair) => [...pair.before, ...pair.next]),
    constant([]),
  )
}

/** How the bytes of a message are corrupted. */
export type Spoiling =
  | 'not'
  | { readonly cut: number }
  | { readonly flip: number; readonly bit: number }
  | { readonly behind: Uint8Array }
  | { readonly unknown: number; readonly times: number }
  | { readonly groups: number }

export const spoiling: Arbitrary<Spoiling> = oneof(
  { weight: 25, arbitrary: constant<Spoiling>('not') },
  { weight: 1, arbitrary: record({ cut: nat(2_000) }) },
  { weight: 1, arbitrary: record({ flip: nat(2_000), bit: nat(7) }) },
  { weight: 1, arbitrary: record({ behind: uint8Array({ maxLength: 100 }) }) },
  { weight: 1, arbitrary: record({ unknown: constantFrom(15, 1_000, 536_870_911), times: constantFrom(1, 5_000) }) },
  { weight: 1, arbitrary: record({ groups: constantFrom(1, 200, 100_000) }) },
)

export interface FuzzedMessage {
  readonly fields: readonly Field[]
  readonly spoiling: Spoiling
}

/** Valid and corrupted messages of a type. */
export function fuzzed(message: DescMessage): Arbitrary<FuzzedMessage> {
  return record({ fields: fieldsOf(message, 0), spoiling })
}

/** Selects by number a value that was seen in fields of a name, or of any name if it is empty. */
export type Known = (name: string, index: number) => string

/** The bytes of a message; known values are selected from `pool`. */
export function bytesOf(message: FuzzedMessage, pool: Known): Buffer {
  const writer = new BinaryWriter()
  write(writer, message.fields, pool)
  return spoilt(Buffer.from(writer.finish()), message.spoiling)
}

function write(writer: BinaryWriter, fields: readonly Field[], pool: Known): void {
  for (const { no, value } of fields) {
    if ('varint' in value) writer.tag(no, WireType.Varint).uint64(value.varint)
    else if ('fixed' in value) {
      if (value.fixed === 32) writer.tag(no, WireType.Bit32).fixed32(Number(value.bits))
      else writer.tag(no, WireType.Bit64).fixed64(value.bits)
    } else if ('fields' in value) {
      writer.tag(no, WireType.LengthDelimited).fork()
      write(writer, value.fields, pool)
      writer.join()
    } else if ('bytes' in value) writer.tag(no, WireType.LengthDelimited).bytes(value.bytes)
    else if ('known' in value) writer.tag(no, WireType.LengthDelimited).string(pool(value.as, value.known))
    else writer.tag(no, WireType.LengthDelimited).string(value.text.repeat(value.times))
  }
}

function spoilt(bytes: Buffer, how: Spoiling): Buffer {
  if (how === 'not') return bytes
  if ('cut' in how) return bytes.subarray(0, bytes.length === 0 ? 0 : how.cut % bytes.length)
  if ('behind' in how) return Buffer.concat([bytes, how.behind])
  // Groups without an end.
  if ('groups' in how) return Buffer.concat([bytes, Buffer.alloc(how.groups, 0x7b)])
  if ('unknown' in how) {
    const writer = new BinaryWriter()
    for (let i = 0; i < how.times; i += 1) writer.tag(how.unknown, WireType.LengthDelimited).string('unknown')
    return Buffer.concat([bytes, writer.finish()])
  }
  const changed = Buffer.from(bytes)
  const at = changed.length === 0 ? 0 : how.flip % changed.length
  if (changed.length > 0) changed[at] = (changed[at] ?? 0) ^ (1 << how.bit)
  return changed
}

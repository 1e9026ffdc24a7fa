import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import type { JsonObject } from '../../json-object.ts'
import { BackwardWriter } from './backward-writer.ts'
import { encodingOf } from './encoded-answer.ts'
import { writeStruct } from './struct-encoding.ts'

/** Wire types. */
const VARINT = 0
const BYTES = 2
const MAX_INT32 = 0x7fff_ffff

const STRUCT = 'google.protobuf.Struct'

type Value = unknown
/** Writes one value, without its tag. */
type WriteValue = (writer: BackwardWriter, value: Value) => void
/** Writes a field of an init object with its tag, if it is set. */
type WriteField = (writer: BackwardWriter, init: object) => void

/**
 * Encodes answers directly from the init objects that handlers return. Creating the message first and encoding it with
 * the library takes three times as long, an eighth of the time of an introspection. The bytes are the same. A type with a
 * field that this encoder does not support, such as a map, is left to the library.
 */
export class AnswerEncoder {
  readonly #writer = new BackwardWriter()
  /** The fields of each type in writing order, last field first; `null` for types that the library encodes. */
  readonly #plans = new Map<DescMessage, readonly WriteField[] | null>()

  encode<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array {
    const encode = encodingOf(init)
    if (encode !== undefined) return encode()
    const plan = this.#planOf(schema)
    if (plan === null) return toBinary(schema, create(schema, init))
    // Discards the rest of a failed call.
    this.#writer.clear()
    writeFields(this.#writer, plan, init)
    return this.#writer.take()
  }

  #planOf(schema: DescMessage): readonly WriteField[] | null {
    let plan = this.#plans.get(schema)
    if (plan === undefined) {
      plan = isKnown(schema) ? this.#compile(schema) : null
      this.#plans.set(schema, plan)
    }
    return plan
  }

  #compile(schema: DescMessage): readonly WriteField[] {
    const plan: WriteField[] = []
    // Set before its fields, so that a recursive message finds it.
    this.#plans.set(schema, plan)
    const backward = schema.fields.toSorted((a, b) => b.number - a.number)
    plan.push(...backward.map((field) => this.#fieldOf(field)))
    return plan
  }

  #fieldOf(field: DescField): WriteField {
    const { localName: name } = field
    if (field.fieldKind === 'list') return listField(name, this.#taggedValueOf(field))
    if (field.oneof !== undefined) return memberField(field.oneof.localName, name, this.#taggedValueOf(field))
    const isZero = field.presence === FeatureSet_FieldPresence.IMPLICIT ? zeroOf(field) : null
    return singleField(name, isZero, this.#taggedValueOf(field))
  }

  #taggedValueOf(field: DescField): WriteValue {
    const isBytes =
      field.message !== undefined || field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES
    const tag = field.number * 8 + (isBytes ? BYTES : VARINT)
    const write = this.#valueOf(field)
    if (!isBytes) {
      return (writer, value) => {
        write(writer, value)
        writer.varint(tag)
      }
    }
    return (writer, value) => {
      const before = writer.length
      write(writer, value)
      writer.varint(writer.length - before)
      writer.varint(tag)
    }
  }

  #valueOf(field: DescField): WriteValue {
    if (field.message !== undefined) {
      if (field.message.typeName === STRUCT) return (writer, value) => writeStruct(writer, value as JsonObject)
      const plan = this.#planOf(field.message)
      if (plan === null) throw new Error(`${field} is not known`)
      return (writer, value) => writeFields(writer, plan, value as object)
    }
    // The type of an answer says what its fields hold.
    switch (field.scalar) {
      case ScalarType.STRING:
        return (writer, value) => writer.text(value as string)
      case ScalarType.BYTES:
        return (writer, value) => writer.bytes(value as Uint8Array)
      case ScalarType.BOOL:
        return (writer, value) => writer.varint(value === true ? 1 : 0)
      case ScalarType.INT64:
      case ScalarType.UINT64:
        return (writer, value) => writer.varint64(BigInt(value as bigint))
      default:
        return (writer, value) => writeInt32(writer, value as number)
    }
  }
}

function writeFields(writer: BackwardWriter, plan: readonly WriteField[], init: object): void {
  for (const write of plan) write(writer, init)
}

function singleField(name: string, isZero: ((value: Value) => boolean) | null, write: WriteValue): WriteField {
  return (writer, init) => {
    const value: Value = Reflect.get(init, name)
    if (value === undefined || value === null || isZero?.(value)) return
    write(writer, value)
  }
}

function listField(name: string, write: WriteValue): WriteField {
  return (writer, init) => {
    const values: Value = Reflect.get(init, name)
    if (!Array.isArray(values)) return
    for (let index = values.length - 1; index >= 0; index -= 1) write(writer, values[index])
  }
}

function memberField(oneof: string, name: string, write: WriteValue): WriteField {
  return (writer, init) => {
    const chosen: { readonly case?: Value; readonly value?: Value } | undefined = Reflect.get(init, oneof)
    if (chosen?.case === name && chosen.value !== undefined) write(writer, chosen.value)
  }
}

function zeroOf({ scalar }: DescField): (value: Value) => boolean {
  switch (scalar) {
    case ScalarType.BYTES:
      return (value) => value instanceof Uint8Array && value.length === 0
    default:
      // '', 0, 0n, false, and the first value of an enum.
      return (value) => !value
  }
}

/** Of an enum as well. Negative ones take ten bytes. */
function writeInt32(writer: BackwardWriter, value: number): void {
  if (!Number.isInteger(value) || value > 2 * MAX_INT32 + 1)
    throw new Error('an answer holds no integer where one must be')
  if (value < 0) writer.varint64(BigInt(value))
  else writer.varint(value)
}

const KNOWN_SCALARS: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.STRING,
  ScalarType.BYTES,
  ScalarType.BOOL,
  ScalarType.INT32,
  ScalarType.UINT32,
  ScalarType.INT64,
  ScalarType.UINT64,
])

/** Others are packed. */
const LISTED_SCALARS: ReadonlySet<ScalarType> = new Set([ScalarType.STRING, ScalarType.BYTES])

/** Whether this encoder supports all fields of a message type. */
function isKnown(schema: DescMessage, above: readonly DescMessage[] = []): boolean {
  if (above.includes(schema)) return true
  // These stand in other forms in what a message is made of.
  if (schema.typeName === STRUCT) return above.length > 0
  if (isWrapperDesc(schema)) return false
  return schema.fields.every((field) => {
    if (field.fieldKind === 'map') return false
    if (field.message !== undefined) return !field.delimitedEncoding && isKnown(field.message, [...above, schema])
    if (field.fieldKind === 'list') return field.listKind === 'scalar' && LISTED_SCALARS.has(field.scalar)
    return field.fieldKind === 'enum' || KNOWN_SCALARS.has(field.scalar)
  })
}

import type { JsonObject, JsonValue } from '../../json-object.ts'
import type { BackwardWriter } from './backward-writer.ts'

/** Tags of google/protobuf/struct.proto: the field number times 8, plus the wire type. */
const ENTRY = 0x0a
const KEY = 0x0a
const VALUE = 0x12
const NULL = 0x08
const NUMBER = 0x11
const TEXT = 0x1a
const BOOL = 0x20
const STRUCT = 0x2a
const LIST = 0x32
const LIST_ELEMENT = 0x0a

/** Writes a JSON object as a google.protobuf.Struct, without its tag. */
export function writeStruct(writer: BackwardWriter, object: JsonObject): void {
  for (const [name, value] of Object.entries(object).reverse()) {
    writeSized(writer, ENTRY, () => {
      writeSized(writer, VALUE, () => writeValue(writer, value))
      writeSized(writer, KEY, () => writer.text(name))
    })
  }
}

function writeValue(writer: BackwardWriter, value: JsonValue): void {
  if (value === null) {
    writer.varint(0)
    writer.varint(NULL)
  } else if (typeof value === 'number') {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeDoubleLE(value)
    writer.bytes(bytes)
    writer.varint(NUMBER)
  } else if (typeof value === 'boolean') {
    writer.varint(value ? 1 : 0)
    writer.varint(BOOL)
  } else if (typeof value === 'string') {
    writeSized(writer, TEXT, () => writer.text(value))
  } else if (Array.isArray(value)) {
    writeSized(writer, LIST, () => {
      for (const element of value.toReversed()) writeSized(writer, LIST_ELEMENT, () => writeValue(writer, element))
    })
  } else {
    writeSized(writer, STRUCT, () => writeStruct(writer, value))
  }
}

/** Writes the output of `write`, preceded by its tag and length. */
function writeSized(writer: BackwardWriter, tag: number, write: () => void): void {
  const before = writer.length
  write()
  writer.varint(writer.length - before)
  writer.varint(tag)
}

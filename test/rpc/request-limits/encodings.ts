import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** At least 0 and below `below`. */
export type Pick = (below: number) => number

const TEXTS = [
  '',
  'a',
  'orders',
  'https://x',
  '0190aaaa-0000-7000-8000-000000000001',
  'ä',
  '\u{1f600}',
  'a\0b',
  '__proto__',
  '$unknown',
]
const DEEPEST = 4

/** An encoding of a request as a client might make it, or somebody who means no good. */
export function binaryRequest(schema: DescMessage, pick: Pick): Uint8Array {
  const bytes = messageOf(schema, pick, 0)
  return pick(3) === 0 ? mutated(bytes, pick) : bytes
}

function messageOf(schema: DescMessage, pick: Pick, depth: number): Uint8Array {
  const writer = new BinaryWriter()
  // Mostly each field once, in order; now and then any of them, again.
  const isWild = pick(6) === 0
  const count = isWild ? pick(8) : schema.fields.length
  for (let at = 0; at < count; at += 1) {
    if (pick(60) === 0) writeOdd(writer, pick)
    const field = schema.fields[isWild ? pick(schema.fields.length) : at]
    if (field !== undefined && pick(2) === 0) writeField(writer, field, pick, depth)
  }
  return writer.finish()
}

function writeField(writer: BinaryWriter, field: DescField, pick: Pick, depth: number): void {
  if (
    field.fieldKind === 'list' &&
    field.listKind !== 'message' &&
    field.scalar !== ScalarType.STRING &&
    pick(2) === 0
  ) {
    writer.tag(field.number, WireType.LengthDelimited).fork()
    for (let left = pick(9); left > 0; left -= 1) writer.raw(varint(pick))
    writer.join()
    return
  }
  const isMany = field.fieldKind === 'list' || field.fieldKind === 'map'
  const times = isMany ? (pick(40) === 0 ? pick(220) : pick(4)) : 1
  for (let left = times; left > 0; left -= 1) writeValue(writer, field, pick, depth)
}

function writeValue(writer: BinaryWriter, field: DescField, pick: Pick, depth: number): void {
  if (pick(200) === 0) writer.tag(field.number, pick(6)).raw(noise(pick))
  else if (field.fieldKind === 'map') {
    writer.tag(field.number, WireType.LengthDelimited).fork()
    for (const part of [1, 2])
      if (pick(8) !== 0) writer.tag(part, WireType.LengthDelimited).string(TEXTS[pick(TEXTS.length)] ?? '')
    if (pick(60) === 0) writeOdd(writer, pick)
    writer.join()
  } else if (field.message !== undefined) {
    const inner = depth < DEEPEST ? messageOf(field.message, pick, depth + 1) : new Uint8Array()
    writer.tag(field.number, WireType.LengthDelimited).bytes(inner)
  } else if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) {
    writer.tag(field.number, WireType.LengthDelimited)
    if (pick(100) === 0) writer.bytes(noise(pick))
    else writer.string(TEXTS[pick(TEXTS.length)] ?? '')
  } else writer.tag(field.number, WireType.Varint).raw(varint(pick))
}

/** A number, at times longer than it needs to be, or than it may. */
function varint(pick: Pick): Uint8Array {
  const length = pick(12) === 0 ? pick(12) : 1
  return Uint8Array.from({ length }, (_, at) => (at < length - 1 ? 0x80 | pick(128) : pick(128)))
}

function noise(pick: Pick): Uint8Array {
  return Uint8Array.from({ length: pick(9) }, () => pick(256))
}

/** Anything that looks like a field, groups among them. */
function writeOdd(writer: BinaryWriter, pick: Pick): void {
  const number = [1 + pick(40), 1_000, 19_500, 536_870_911][pick(4)] ?? 1
  switch (pick(7)) {
    case 0:
      writer.tag(number, WireType.Varint).raw(varint(pick))
      break
    case 1:
      writer.tag(number, WireType.Bit64).raw(new Uint8Array(8))
      break
    case 2:
      writer.tag(number, WireType.Bit32).raw(new Uint8Array(4))
      break
    case 3:
      writer.tag(number, WireType.LengthDelimited).bytes(noise(pick))
      break
    case 4:
      writer.tag(number, WireType.StartGroup).raw(noise(pick)).tag(number, WireType.EndGroup)
      break
    default:
      writer.raw(noise(pick))
  }
}

/** Bytes changed, cut out, doubled or added. */
export function mutated(bytes: Uint8Array, pick: Pick): Uint8Array {
  const changed = Array.from(bytes)
  for (let left = 1 + pick(3); left > 0; left -= 1) {
    const at = pick(changed.length + 1)
    switch (pick(4)) {
      case 0:
        changed[Math.min(at, changed.length - 1)] = pick(256)
        break
      case 1:
        changed.splice(at, pick(5))
        break
      case 2:
        changed.splice(at, 0, ...changed.slice(at, at + pick(9)))
        break
      default:
        changed.splice(at, 0, pick(3) === 0 ? pick(256) : pick(16))
    }
  }
  return Uint8Array.from(changed.filter((byte) => byte !== undefined))
}

/** The same in JSON. */
export function jsonRequest(schema: DescMessage, pick: Pick): Uint8Array {
  const bytes = Buffer.from(objectOf(schema, pick, 0))
  return pick(3) === 0 ? mutated(bytes, pick) : bytes
}

function objectOf(schema: DescMessage, pick: Pick, depth: number): string {
  const members = schema.fields.filter(() => pick(2) === 0).map((field) => memberOf(field, pick, depth))
  if (pick(40) === 0) members.push(`${nameOf('unknown', pick)}:${oddJson(pick)}`)
  const [again] = schema.fields
  if (again !== undefined && pick(40) === 0) members.push(memberOf(again, pick, depth))
  return `{${members.map((member) => space(pick) + member).join(',')}${space(pick)}}`
}

function memberOf(field: DescField, pick: Pick, depth: number): string {
  const name = nameOf(pick(4) === 0 ? field.name : field.jsonName, pick)
  return `${name}${space(pick)}:${space(pick)}${jsonOf(field, pick, depth)}`
}

/** Now and then with a letter escaped. */
function nameOf(name: string, pick: Pick): string {
  if (pick(30) !== 0) return JSON.stringify(name)
  const at = pick(name.length)
  return `"${name.slice(0, at)}\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}${name.slice(at + 1)}"`
}

function jsonOf(field: DescField, pick: Pick, depth: number): string {
  if (pick(60) === 0) return oddJson(pick)
  if (field.fieldKind === 'list') {
    const count = pick(40) === 0 ? pick(220) : pick(4)
    const items = Array.from({ length: count }, () => space(pick) + singleJson(field, pick, depth))
    return `[${items.join(',')}${space(pick)}]`
  }
  if (field.fieldKind !== 'map') return singleJson(field, pick, depth)
  const entries = Array.from({ length: pick(4) }, () => `${textJson(pick)}:${textJson(pick)}`)
  return `{${entries.join(',')}}`
}

function singleJson(field: DescField, pick: Pick, depth: number): string {
  const { message } = field
  switch (message?.typeName) {
    case 'google.protobuf.Timestamp':
      return pick(9) === 0 ? '"soon"' : '"2026-01-01T00:00:00Z"'
    case 'google.protobuf.Duration':
      return pick(9) === 0 ? '""' : `"${pick(99)}s"`
    case 'google.protobuf.FieldMask':
      return JSON.stringify(Array.from({ length: pick(30) === 0 ? pick(150) : pick(4) }, () => 'displayName').join(','))
    case undefined:
      break
    default:
      return message !== undefined && depth < DEEPEST ? objectOf(message, pick, depth + 1) : '{}'
  }
  if (field.enum !== undefined) return pick(3) === 0 ? String(pick(4)) : JSON.stringify(field.enum.values[0]?.name)
  if (field.scalar === ScalarType.BOOL) return pick(2) === 0 ? 'true' : 'false'
  return field.scalar === ScalarType.STRING ? textJson(pick) : String(pick(99))
}

function textJson(pick: Pick): string {
  if (pick(30) === 0) return '"\\ud800"'
  return JSON.stringify(TEXTS[pick(TEXTS.length)])
}

const ODD = [
  'null',
  'true',
  '1e999',
  '-0',
  '""',
  '"x"',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"a":{}}',
  '[{}]',
  '"a,b"',
  '01',
  '\ufeff',
]

function oddJson(pick: Pick): string {
  return ODD[pick(ODD.length)] ?? ''
}

function space(pick: Pick): string {
  return pick(12) === 0 ? (['  ', '\n', '\t', '\r\n', '\u00a0'][pick(5)] ?? '') : ''
}

import type { DescField, DescMessage, Message } from '@bufbuild/protobuf'
import { isMessage } from '@bufbuild/protobuf'
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import type { FieldViolation } from '../../errors/registry.ts'
import { inside, refusal } from './scan.ts'

/** The times and durations of a message. */
export type TimeFields = readonly TimeField[]
interface TimeField {
  readonly name: string
  readonly localName: string
  /** The fields of the nested message. `null`: the field itself is a time or duration. */
  readonly within: TimeFields | null
}

/** The limits of `google/protobuf/duration.proto` and `timestamp.proto`, in seconds. */
const MAX_DURATION_SECONDS = 315_576_000_000n
const MIN_TIMESTAMP_SECONDS = -62_135_596_800n
const MAX_TIMESTAMP_SECONDS = 253_402_300_799n
const MAX_NANOS = 999_999_999

const IMPOSSIBLE_SPAN = Object.freeze(refusal('', 'is not a possible duration: its seconds or nanos are out of range'))
const IMPOSSIBLE_TIME = Object.freeze(refusal('', 'is not a possible time: its seconds or nanos are out of range'))

/** The times and durations that a message can contain. `known`: the results so far. */
export function timeFieldsOf(schema: DescMessage, known = new Map<DescMessage, TimeFields>()): TimeFields {
  const before = known.get(schema)
  if (before !== undefined) return before
  const fields: TimeField[] = []
  // Set before the fields, for recursive messages.
  known.set(schema, fields)
  for (const field of schema.fields) {
    const found = timeFieldOf(field, known)
    if (found !== null) fields.push(found)
  }
  return fields
}

function timeFieldOf(
  { name, localName, fieldKind, message, oneof }: DescField,
  known: Map<DescMessage, TimeFields>,
): TimeField | null {
  if ((fieldKind !== 'message' && fieldKind !== 'list') || message === undefined || oneof !== undefined) return null
  if (message.typeName === DurationSchema.typeName || message.typeName === TimestampSchema.typeName)
    return { name, localName, within: null }
  const within = timeFieldsOf(message, known)
  return within.length === 0 ? null : { name, localName, within }
}

/**
 * The first time or duration that JSON cannot encode. The binary encoding allows such values, and duration rules compare
 * seconds before nanos: "2 s and -2,147,483,648 ns" would count as more than a second.
 */
export function impossibleTimeIn(message: Message, fields: TimeFields): FieldViolation | null {
  for (const { name, localName, within } of fields) {
    const value: unknown = Reflect.get(message, localName)
    if (value === undefined) continue
    const violation = Array.isArray(value) ? firstOf(value, within) : problemOf(value, within)
    if (violation === null) continue
    return Array.isArray(value) ? { ...violation, field: `${name}${violation.field}` } : inside(name, violation)
  }
  return null
}

/** Whether a message is not a time or duration out of range. */
export function isPossible(message: Message): boolean {
  return problemOf(message, null) === null
}

function firstOf(items: readonly unknown[], within: TimeFields | null): FieldViolation | null {
  for (const [index, item] of items.entries()) {
    const violation = problemOf(item, within)
    if (violation !== null) return inside(`[${index}]`, violation)
  }
  return null
}

function problemOf(value: unknown, within: TimeFields | null): FieldViolation | null {
  if (isMessage(value, DurationSchema)) {
    const { seconds, nanos } = value
    const isMixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)
    const isInRange =
      seconds >= -MAX_DURATION_SECONDS && seconds <= MAX_DURATION_SECONDS && Math.abs(nanos) <= MAX_NANOS
    return isInRange && !isMixed ? null : IMPOSSIBLE_SPAN
  }
  if (isMessage(value, TimestampSchema)) {
    const { seconds, nanos } = value
    const isInRange =
      seconds >= MIN_TIMESTAMP_SECONDS && seconds <= MAX_TIMESTAMP_SECONDS && nanos >= 0 && nanos <= MAX_NANOS
    return isInRange ? null : IMPOSSIBLE_TIME
  }
  return within !== null && isMessage(value) ? impossibleTimeIn(value, within) : null
}

import { type DescField, type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { AnySchema, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { holdsSecret } from '../domain/secret-text.ts'
import { isPossible } from './request-limits/impossible-times.ts'

const REDACTED = '[redacted]'
/** Of a text in a log line; what is longer than any field may be is no field, but a mistake or an attack. */
const LONGEST_SHOWN = 2_048

type Scalar = string | number | bigint | boolean | Uint8Array
type FieldPlan = { readonly field: DescField; readonly show: (message: ReflectMessage, field: DescField) => unknown }

/** Shown as JSON has them: they carry no bearer value and read badly field by field. */
const AS_JSON: ReadonlySet<string> = new Set([TimestampSchema, DurationSchema].map((schema) => schema.typeName))

/** What is shown of each message type, compiled when it is first met. */
const plans = new Map<string, readonly FieldPlan[]>()

/**
 * A message as data for the log, without any field marked `debug_redact`, at
 * any depth. The work is done when the log line is written (`toJSON`): at a
 * silent level it costs an object.
 */
export function redacted<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): { toJSON(): unknown } {
  return { toJSON: () => showMessage(reflect(schema, message)) }
}

function showMessage(message: ReflectMessage): unknown {
  // What JSON cannot write is shown field by field: a request is logged before it is validated.
  if (AS_JSON.has(message.desc.typeName) && isPossible(message.message)) return toJson(message.desc, message.message)
  const shown: Record<string, unknown> = {}
  for (const { field, show } of planOf(message.desc)) {
    if (message.isSet(field)) shown[field.name] = show(message, field)
  }
  return shown
}

function planOf(schema: DescMessage): readonly FieldPlan[] {
  let plan = plans.get(schema.typeName)
  if (plan === undefined) {
    plan = schema.fields.map((field) => ({ field, show: showerOf(schema, field) }))
    plans.set(schema.typeName, plan)
  }
  return plan
}

function showerOf(schema: DescMessage, field: DescField): FieldPlan['show'] {
  // What an Any holds is known by its type only, so none of it is shown but that.
  const opaque = schema.typeName === AnySchema.typeName && field.name === 'value'
  return opaque || field.proto.options?.debugRedact ? () => REDACTED : showField
}

function showField(message: ReflectMessage, field: DescField): unknown {
  switch (field.fieldKind) {
    case 'message':
      return showMessage(message.get(field))
    case 'list':
      return Array.from(message.get(field), showValue)
    case 'map':
      return Object.fromEntries(
        Array.from(message.get(field), ([key, value]) => [String(showScalar(key as Scalar)), showValue(value)]),
      )
    case 'enum': {
      const value = message.get(field)
      return field.enum.value[value]?.name ?? value
    }
    case 'scalar':
      return showScalar(message.get(field))
    default:
      return field satisfies never
  }
}

function showValue(value: unknown): unknown {
  return isReflected(value) ? showMessage(value) : showScalar(value as Scalar)
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === 'object' && value !== null && 'desc' in value && 'message' in value
}

function showScalar(value: Scalar): unknown {
  if (typeof value === 'bigint') return value.toString()
  // What stands in the wrong field is as secret as in the right one.
  if (typeof value === 'string') return holdsSecret(value) ? REDACTED : shortened(value)
  return value instanceof Uint8Array ? `[${value.byteLength} bytes]` : value
}

function shortened(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}… (${text.length} characters)` : text
}

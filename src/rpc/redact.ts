import { type DescField, type DescMessage, type MessageShape, toJson } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { AnySchema, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { holdsSecret } from '../domain/secret-text.ts'
import { isPossible } from './request-limits/impossible-times.ts'

const REDACTED = '[redacted]'
/** Of a text in a log line; what is longer than any field may be is no field, but a mistake or an attack. */
const MAX_SHOWN_TEXT = 2_048

type Scalar = string | number | bigint | boolean | Uint8Array
interface FieldPlan {
  readonly field: DescField
  readonly isRedacted: boolean
}

/** Shown in their JSON form: they contain no secrets, and are hard to read field by field. */
const AS_JSON: ReadonlySet<string> = new Set([TimestampSchema, DurationSchema].map((schema) => schema.typeName))

/**
 * Secret fields of third-party contracts, which have no `debug_redact` marks, by message name. They contain requests to
 * other services, including credentials.
 */
const UNMARKED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'envoy.service.auth.v3.AttributeContext.HttpRequest',
    new Set(['headers', 'header_map', 'path', 'query', 'fragment', 'body', 'raw_body']),
  ],
  ['envoy.config.core.v3.Metadata', new Set(['filter_metadata'])],
])

/** Formats messages for the log. The visible fields of a message type are determined at its first use. */
export class Redactor {
  readonly #plans = new Map<string, readonly FieldPlan[]>()

  /**
   * A message as data for the log, without any field marked `debug_redact`, at
   * any depth. The work is done when the log line is written (`toJSON`): at a
   * silent level it costs an object.
   */
  redacted<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): { toJSON(): unknown } {
    return { toJSON: () => this.#message(reflect(schema, message)) }
  }

  #message(message: ReflectMessage): unknown {
    // What JSON cannot write is shown field by field: a request is logged before it is validated.
    if (AS_JSON.has(message.desc.typeName) && isPossible(message.message)) return toJson(message.desc, message.message)
    const shown: Record<string, unknown> = {}
    for (const { field, isRedacted } of this.#planOf(message.desc)) {
      if (message.isSet(field)) shown[field.name] = isRedacted ? REDACTED : this.#field(message, field)
    }
    return shown
  }

  #planOf(schema: DescMessage): readonly FieldPlan[] {
    let plan = this.#plans.get(schema.typeName)
    if (plan === undefined) {
      plan = schema.fields.map((field) => ({ field, isRedacted: isRedacted(schema, field) }))
      this.#plans.set(schema.typeName, plan)
    }
    return plan
  }

  #field(message: ReflectMessage, field: DescField): unknown {
    switch (field.fieldKind) {
      case 'message':
        return this.#message(message.get(field))
      case 'list':
        return Array.from(message.get(field), (value) => this.#value(value))
      case 'map':
        return Object.fromEntries(
          Array.from(message.get(field), ([key, value]) => [String(showScalar(key as Scalar)), this.#value(value)]),
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

  #value(value: unknown): unknown {
    return isReflected(value) ? this.#message(value) : showScalar(value as Scalar)
  }
}

function isRedacted(schema: DescMessage, field: DescField): boolean {
  // The content of an Any may be secret, so only its type is shown.
  const isOpaque = schema.typeName === AnySchema.typeName && field.name === 'value'
  return (
    isOpaque || UNMARKED.get(schema.typeName)?.has(field.name) === true || field.proto.options?.debugRedact === true
  )
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === 'object' && value !== null && 'desc' in value && 'message' in value
}

function showScalar(value: Scalar): unknown {
  if (typeof value === 'bigint') return value.toString()
  // A secret in the wrong field is still a secret.
  if (typeof value === 'string') return holdsSecret(value) ? REDACTED : shortened(value)
  return value instanceof Uint8Array ? `[${value.byteLength} bytes]` : value
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_TEXT ? `${text.slice(0, MAX_SHOWN_TEXT)}… (${text.length} characters)` : text
}

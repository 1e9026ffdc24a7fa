import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf'
import { reflect } from '@bufbuild/protobuf/reflect'
import {
  FieldRulesSchema,
  field as fieldRules,
  message as messageRules,
  oneof as oneofRules,
  type RepeatedRules,
  RepeatedRulesSchema,
  type StringRules,
  StringRulesSchema,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'

/** Whether a value satisfies the rules of its field. Also `false` if a rule is not supported here. */
type Keeps = (value: unknown) => boolean

/** A field or the member of a oneof, by its names in the message. */
interface PlainField {
  readonly name: string
  readonly oneof: string | null
  readonly keeps: Keeps
}

/**
 * A fast check for messages whose rules only limit the length of texts: credentials, and most requests of the most frequent
 * calls. Other rules are not supported here. Messages that are not accepted go to the validation library, which takes fifteen
 * times as long.
 */
export class PlainRules {
  readonly #fields: readonly PlainField[]
  /** No message is accepted. */
  readonly #refusesAll: boolean

  constructor(schema: DescMessage) {
    this.#refusesAll = hasOption(schema, messageRules) || schema.oneofs.some((oneof) => hasOption(oneof, oneofRules))
    this.#fields = schema.fields.map((field) => ({
      name: field.localName,
      oneof: field.oneof?.localName ?? null,
      keeps: keepsOf(field),
    }))
  }

  accepts(message: Message): boolean {
    if (this.#refusesAll) return false
    for (const { name, oneof, keeps } of this.#fields) {
      if (oneof === null) {
        if (!keeps(Reflect.get(message, name))) return false
        continue
      }
      const chosen: { readonly case?: unknown; readonly value?: unknown } = Reflect.get(message, oneof)
      if (chosen.case === name && !keeps(chosen.value)) return false
    }
    return true
  }
}

const ANYTHING: Keeps = () => true
/** An unset field violates no rule unless it is required, which is a rule that is not supported here. */
const UNSET: Keeps = (value) => value === undefined
const NOTHING: Keeps = () => false

function keepsOf(field: DescField): Keeps {
  if (!hasOption(field, fieldRules))
    return field.fieldKind === 'scalar' || field.fieldKind === 'enum' ? ANYTHING : UNSET
  const rules = getOption(field, fieldRules)
  if (!setsOnly(FieldRulesSchema, rules, ['type'])) return NOTHING
  const { case: kind, value } = rules.type
  if (field.fieldKind === 'scalar' && kind === 'string') {
    const keeps = keepsText(value)
    // An unset optional text has no length.
    return (text) => text === undefined || keeps(text)
  }
  return field.fieldKind === 'list' && kind === 'repeated' ? keepsList(value) : NOTHING
}

function keepsList(rules: RepeatedRules): Keeps {
  const { minItems, maxItems, items } = rules
  if (!setsOnly(RepeatedRulesSchema, rules, ['min_items', 'max_items', 'items']) || items?.type.case !== 'string')
    return NOTHING
  if (!setsOnly(FieldRulesSchema, items, ['type'])) return NOTHING
  const keeps = keepsText(items.type.value)
  const most = mostOf(maxItems)
  return (list) => Array.isArray(list) && list.length >= minItems && list.length <= most && list.every(keeps)
}

function keepsText(rules: StringRules): Keeps {
  const { minLen, maxLen } = rules
  // Lengths count characters, and a surrogate pair is one character. The number of code units is therefore an upper bound only.
  if (!setsOnly(StringRulesSchema, rules, ['min_len', 'max_len']) || minLen > 1n) return NOTHING
  const most = mostOf(maxLen)
  return (text) => typeof text === 'string' && text.length >= minLen && text.length <= most
}

function mostOf(limit: bigint): number {
  return limit > 0n ? Number(limit) : Number.POSITIVE_INFINITY
}

/** Whether a message sets only these fields and oneofs. */
function setsOnly<D extends DescMessage>(schema: D, message: MessageShape<D>, names: readonly string[]): boolean {
  const shown = reflect(schema, message)
  return schema.members.every((member) => {
    const isSet = member.kind === 'oneof' ? shown.oneofCase(member) !== undefined : shown.isSet(member)
    return !isSet || names.includes(member.name)
  })
}

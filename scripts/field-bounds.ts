import { type DescField, getOption, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf'
import { FieldRulesSchema, field as rulesOf } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'

/** A rule of `buf.validate` in words; it fails for one that nobody has put into words yet. */
type Wording = (value: JsonValue) => string

const WORDINGS: Readonly<Record<string, Wording>> = {
  'string.minLen': (least) => `at least ${plural(least, 'character')}`,
  'string.maxLen': (most) => `at most ${plural(most, 'character')}`,
  'bytes.maxLen': (most) => `at most ${plural(most, 'byte')}`,
  'string.pattern': (pattern) => `matches \`${pattern}\``,
  'string.uuid': () => 'a UUID',
  'repeated.minItems': (least) => `at least ${plural(least, 'entry')}`,
  'repeated.maxItems': (most) => `at most ${plural(most, 'entry')}`,
  'repeated.items': (rules) => `each ${words(rules)}`,
  'map.maxPairs': (most) => `at most ${plural(most, 'pair')}`,
  'map.keys': (rules) => `each key ${words(rules)}`,
  'map.values': (rules) => `each value ${words(rules)}`,
  'duration.gte': (least) => `at least ${least}`,
  'duration.lte': (most) => `at most ${most}`,
  'int32.gte': (least) => `at least ${least}`,
  'int32.lte': (most) => `at most ${most}`,
  'bool.const': (value) => `only ${value}`,
  'enum.definedOnly': () => 'a value of the enum',
  'enum.notIn': () => 'not unspecified',
  required: () => 'required',
}

/** What the schema demands of a field, in words; empty if nothing. */
export function fieldBounds(field: DescField): string {
  return words(toJson(FieldRulesSchema, getOption(field, rulesOf)))
}

function words(rules: JsonValue): string {
  return Object.entries(objectOf(rules))
    .flatMap(([kind, value]) => {
      if (kind in WORDINGS) return [word(kind, value)]
      return Object.entries(objectOf(value)).map(([rule, bound]) => word(`${kind}.${rule}`, bound))
    })
    .join(', ')
}

function word(rule: string, value: JsonValue): string {
  const wording = WORDINGS[rule]
  if (wording === undefined) throw new Error(`put the rule ${rule} into words in scripts/field-bounds.ts`)
  return wording(value)
}

function objectOf(value: JsonValue): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`not a rule: ${value}`)
  return value
}

function plural(count: JsonValue, noun: string): string {
  if (Number(count) === 1) return `${count} ${noun}`
  return `${count} ${noun.replace(/y$/, 'ie')}s`
}

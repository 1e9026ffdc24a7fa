import type { DescEnum } from '@bufbuild/protobuf'
import type { Violation } from '@bufbuild/protovalidate'

/** `^[A-Za-z0-9._-]{1,128}$`: a class of characters, and how many. */
const PATTERN = /`\^\[(?<characters>[^\]`]+)\](?:\+|\{(?<least>\d+)(?:,(?<most>\d+))?\})\$`/
const DAY_SECONDS = 86_400

/** What a violated rule asks of its field, in plain words: "must be from 1s to 1d". Holds no value of the message. */
export function violationSentence(violation: Violation): string {
  const sentence = ofField(violation) ?? byRule(violation.ruleId, violation.message)
  return violation.forKey ? `has a key that ${sentence}` : sentence
}

/** What only the field itself tells: the names of an enum or of a oneof. */
function ofField({ ruleId, field }: Violation): string | null {
  const last = field.at(-1)
  if (last?.kind === 'oneof') return `exactly one of ${last.fields.map(({ name }) => name).join(', ')} must be set`
  if (!ruleId.startsWith('enum.')) return null
  const owner = field.findLast((step) => step.kind === 'field')
  const type = owner?.kind === 'field' ? owner.enum : undefined
  return type === undefined ? null : `must be one of ${namesOf(type).join(', ')}`
}

function namesOf({ values }: DescEnum): readonly string[] {
  return values.filter(({ number }) => number !== 0).map(({ localName }) => localName)
}

function byRule(ruleId: string, message: string): string {
  const [first = '', second = ''] = message.match(/-?\d+(?:\.\d+)?s?/g)?.map(amount) ?? []
  switch (ruleId.slice(ruleId.indexOf('.') + 1)) {
    case 'required':
      return 'must be set'
    case 'uuid':
      return 'must be a UUID, such as 0192f0a1-5b7c-7d3e-9f10-2a3b4c5d6e7f'
    case 'uuid_empty':
      return 'must not be empty: it is a UUID'
    case 'min_len':
      return first === '1' ? 'must not be empty' : `must have at least ${first} characters`
    case 'max_len':
      return `must have at most ${first} characters`
    case 'pattern':
      return characters(message)
    case 'min_items':
      return first === '1' ? 'must not be empty' : `must have at least ${first} items`
    case 'max_items':
      return `must have at most ${first} items`
    case 'unique':
      return 'must not hold the same item twice'
    case 'max_pairs':
      return `must have at most ${first} entries`
    case 'gte_lte':
      return `must be from ${first} to ${second}`
    case 'gte':
      return `must be at least ${first}`
    case 'gt':
      return `must be more than ${first}`
    case 'lte':
      return `must be at most ${first}`
    case 'lt':
      return `must be less than ${first}`
    default:
      return message === '' ? `breaks the rule ${ruleId}` : message
  }
}

/** `86400s` → `1d`; numbers stay as they are. */
function amount(text: string): string {
  if (!text.endsWith('s')) return text
  const seconds = Number(text.slice(0, -1))
  return seconds >= DAY_SECONDS && seconds % DAY_SECONDS === 0 ? `${seconds / DAY_SECONDS}d` : text
}

function characters(message: string): string {
  const found = PATTERN.exec(message)?.groups
  if (found === undefined) return 'has characters that are not allowed, or too many of them'
  const { characters: allowed = '', least, most } = found
  const shown = allowed.replace(/(A-Z|a-z|0-9|.)(?=.)/g, '$1 ')
  if (least === undefined) return `must consist of ${shown}`
  return most === undefined
    ? `must be ${least} characters of ${shown}`
    : `must be ${least} to ${most} characters of ${shown}`
}

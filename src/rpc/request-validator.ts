import { create, type DescEnum, type DescMessage, type Message } from '@bufbuild/protobuf'
import type { Path } from '@bufbuild/protobuf/reflect'
import { createValidator, type Violation } from '@bufbuild/protovalidate'
import type { FieldViolation } from '../errors/registry.ts'
import { impossibleTimeIn, type TimeFields, timeFieldsOf } from './request-limits/impossible-times.ts'
import { PlainRules } from './request-limits/plain-rules.ts'
import { shortenLists, type TextLists, textListsOf } from './request-limits/shorten-lists.ts'
import { MAX_VIOLATIONS } from './rpc-status.ts'

const NO_VIOLATIONS: readonly FieldViolation[] = Object.freeze([])
const SHOWN_MAP_KEY = /^[A-Za-z0-9._-]{1,64}$/

/** The checks for messages of one type besides their rules. */
interface Checks {
  readonly times: TimeFields
  readonly texts: TextLists
  readonly plain: PlainRules
}

/** Checks messages against the `buf.validate` rules of their schema. */
export class RequestValidator {
  readonly #patterns = new Map<string, RegExp>()
  readonly #checks = new Map<DescMessage, Checks>()
  readonly #validator = createValidator({ regexMatch: (pattern, against) => this.#matches(pattern, against) })

  /**
   * Compiles the rules of these schemas at once (about 50 ms). Otherwise the first caller would wait for it. Other rules are
   * compiled on demand.
   */
  constructor(schemas: Iterable<DescMessage> = []) {
    for (const schema of new Set(schemas)) this.#validator.validate(schema, create(schema))
  }

  /** The first violated rules by proto path. They never contain a value of the message. */
  validate(schema: DescMessage, message: Message): readonly FieldViolation[] {
    const { times, texts, plain } = this.#checksOf(schema)
    if (plain.accepts(message)) return NO_VIOLATIONS
    const impossibleTime = impossibleTimeIn(message, times)
    if (impossibleTime !== null) return [impossibleTime]
    shortenLists(message, texts, MAX_VIOLATIONS)
    const result = this.#validator.validate(schema, message)
    switch (result.kind) {
      case 'valid':
        return NO_VIOLATIONS
      case 'error':
        throw new Error(`the rules of ${schema.typeName} cannot be applied`, { cause: result.error })
      case 'invalid':
        return result.violations.slice(0, MAX_VIOLATIONS).map((violation) => ({
          field: protoPath(violation.field),
          description: violationSentence(violation),
        }))
      default:
        return result satisfies never
    }
  }

  #checksOf(schema: DescMessage): Checks {
    let checks = this.#checks.get(schema)
    if (checks === undefined) {
      checks = { times: timeFieldsOf(schema), texts: textListsOf(schema), plain: new PlainRules(schema) }
      this.#checks.set(schema, checks)
    }
    return checks
  }

  #matches(pattern: string, against: string): boolean {
    let compiled = this.#patterns.get(pattern)
    if (compiled === undefined) {
      compiled = new RegExp(pattern, 'u')
      this.#patterns.set(pattern, compiled)
    }
    return compiled.test(against)
  }
}

/** A path in proto names, such as `config.access_token_ttl` or `tokens[3]`. Long or unusual map keys are omitted. */
function protoPath(path: Path): string {
  let text = ''
  for (const step of path) {
    switch (step.kind) {
      case 'field':
      case 'oneof':
        text += text === '' ? step.name : `.${step.name}`
        break
      case 'extension':
        text += `[${step.typeName}]`
        break
      case 'list_sub':
        text += `[${step.index}]`
        break
      case 'map_sub':
        text += SHOWN_MAP_KEY.test(String(step.key)) ? `[${JSON.stringify(String(step.key))}]` : '[…]'
        break
      default:
        step satisfies never
    }
  }
  return text
}

/** `^[A-Za-z0-9._-]{1,128}$`: a class of characters and a count. */
const PATTERN = /`\^\[(?<characters>[^\]`]+)\](?:\+|\{(?<least>\d+)(?:,(?<most>\d+))?\})\$`/
const DAY_SECONDS = 86_400

/** The requirement of a violated rule in words: "must be from 1s to 1d". It never contains a value of the message. */
function violationSentence(violation: Violation): string {
  const sentence = ofField(violation) ?? byRule(violation.ruleId, violation.message)
  return violation.forKey ? `has a key that ${sentence}` : sentence
}

/** Requirements that depend on the field: the names of an enum or of a oneof. */
function ofField({ ruleId, field }: Violation): string | null {
  const last = field.at(-1)
  if (last?.kind === 'oneof') return `must be set by exactly one of ${last.fields.map(({ name }) => name).join(', ')}`
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
      return 'must be set to a UUID'
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
      return 'must not contain the same item twice'
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

/** `86400s` → `1d`. Numbers are unchanged. */
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

import { create, type DescMessage, type Message } from '@bufbuild/protobuf'
import type { Path } from '@bufbuild/protobuf/reflect'
import { createValidator } from '@bufbuild/protovalidate'
import type { FieldViolation } from '../errors/registry.ts'
import { impossibleTimeIn, type TimeFields, timeFieldsOf } from './request-limits/impossible-times.ts'
import { shortenLists, type TextLists, textListsOf } from './request-limits/shorten-lists.ts'
import { MAX_VIOLATIONS } from './rpc-status.ts'
import { violationSentence } from './violation-sentence.ts'

const NO_VIOLATIONS: readonly FieldViolation[] = Object.freeze([])
const SHOWN_MAP_KEY = /^[A-Za-z0-9._-]{1,64}$/

/** What is looked for in the messages of one type beside their rules. */
interface Checks {
  readonly times: TimeFields
  readonly texts: TextLists
}

/** Checks messages against the `buf.validate` rules of their schema. */
export class RequestValidator {
  readonly #patterns = new Map<string, RegExp>()
  readonly #checks = new Map<DescMessage, Checks>()
  readonly #validator = createValidator({ regexMatch: (pattern, against) => this.#matches(pattern, against) })

  /** Compiles the rules of these messages at once, for which the first caller would wait otherwise (about 50 ms); of others when they come. */
  constructor(schemas: Iterable<DescMessage> = []) {
    for (const schema of new Set(schemas)) this.validate(schema, create(schema))
  }

  /** The violated rules by proto path, the first few of many; never with a value of the message. */
  validate(schema: DescMessage, message: Message): readonly FieldViolation[] {
    const { times, texts } = this.#checksOf(schema)
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
      checks = { times: timeFieldsOf(schema), texts: textListsOf(schema) }
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

/** A path in proto names, such as `config.access_token_ttl` or `tokens[3]`; a long or odd map key is left out. */
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

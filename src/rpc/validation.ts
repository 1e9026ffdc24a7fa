import { create, type DescMessage, type Message } from '@bufbuild/protobuf'
import type { Path } from '@bufbuild/protobuf/reflect'
import { createValidator } from '@bufbuild/protovalidate'
import type { FieldViolation } from '../errors/registry.ts'
import { impossibleTimeIn, timeFieldsOf } from './request-limits/impossible-times.ts'
import { shortenLists, textListsOf } from './request-limits/shorten-lists.ts'
import { MAX_VIOLATIONS } from './rpc-status.ts'
import { violationSentence } from './violation-sentence.ts'

const NO_VIOLATIONS: readonly FieldViolation[] = Object.freeze([])
const SHOWN_MAP_KEY = /^[A-Za-z0-9._-]{1,64}$/

/** Holds messages against the `buf.validate` rules of their schema. */
export interface RequestValidator {
  /** The violated rules by proto path, the first few of many; never with a value of the message. */
  validate(schema: DescMessage, message: Message): readonly FieldViolation[]
}

/** Compiles the rules of these messages at once, which the first caller would else wait for (about 50 ms); of others when they come. */
export function createRequestValidator(schemas: Iterable<DescMessage> = []): RequestValidator {
  const patterns = new Map<string, RegExp>()
  const regexMatch = (pattern: string, against: string) => {
    let compiled = patterns.get(pattern)
    if (compiled === undefined) {
      compiled = new RegExp(pattern, 'u')
      patterns.set(pattern, compiled)
    }
    return compiled.test(against)
  }
  const validator = createValidator({ regexMatch })

  function validate(schema: DescMessage, message: Message): readonly FieldViolation[] {
    const impossibleTime = impossibleTimeIn(message, timeFieldsOf(schema))
    if (impossibleTime !== null) return [impossibleTime]
    shortenLists(message, textListsOf(schema), MAX_VIOLATIONS)
    const result = validator.validate(schema, message)
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

  for (const schema of new Set(schemas)) validate(schema, create(schema))
  return { validate }
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

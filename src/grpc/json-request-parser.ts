import { type DescMessage, fromJson, type JsonValue, type MessageShape } from '@bufbuild/protobuf'
import { isFieldError } from '@bufbuild/protobuf/reflect'
import { type FailedResult, fail, type Result, success } from '../results.ts'
import { findJsonExcess } from './find-json-excess.ts'
import type { JsonRequest } from './json-request.ts'
import { requestBounds } from './request-bounds.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Parses requests of one type from JSON, none of them larger than its schema allows, or with fields it lacks. */
export function jsonRequestParser<I extends DescMessage>(input: I): (request: JsonRequest) => Result<MessageShape<I>> {
  const bounds = requestBounds(input)
  return ({ encoded }) => {
    try {
      const value: JsonValue = JSON.parse(utf8.decode(encoded))
      const excess = findJsonExcess(value, input, bounds)
      if (excess !== null) return fail('oauth.invalid_request', { violations: [excess] })
      return success(fromJson(input, value))
    } catch (error) {
      return unreadable(error)
    }
  }
}

/** The parser's own words would repeat what was sent, secrets too: only the field is named. */
function unreadable(error: unknown): FailedResult {
  const cause = error instanceof Error ? error.cause : null
  const field = isFieldError(cause) ? cause.field().name : ''
  const description = 'is not a valid JSON encoding of the request'
  return fail('oauth.invalid_request', { violations: [{ field, description }] })
}

import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf'
import { isFieldError } from '@bufbuild/protobuf/reflect'
import { type FailedResult, fail, type Result, success } from '../results.ts'
import { BinaryScan } from './binary-scan.ts'
import { emptyFields } from './empty-fields.ts'
import { JsonRequest } from './json-request.ts'
import { JsonScan } from './json-scan.ts'
import { messageLimits } from './message-limits.ts'

/** A request as it came over the wire: bytes are protobuf's binary encoding. */
export type EncodedRequest = Uint8Array | JsonRequest

export interface ParsedRequest<M> {
  readonly message: M
  /** How many things it asks for beside itself: what its lists hold. */
  readonly items: number
}

export interface RequestParserOptions {
  /** RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request." */
  readonly emptyIsOmitted: boolean
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** What this server does not know it does not keep. */
const BINARY_OPTIONS = Object.freeze({ readUnknownFields: false })

/** Parses requests of one type from either encoding, none of them larger or other than its schema allows. */
export function requestParser<I extends DescMessage>(
  input: I,
  { emptyIsOmitted }: RequestParserOptions,
): (encoded: EncodedRequest) => Result<ParsedRequest<MessageShape<I>>> {
  const limits = messageLimits(input)
  const [binary, json] = [new BinaryScan(limits), new JsonScan(limits)]
  const empty = emptyIsOmitted ? emptyFields(input) : null

  function parseBinary(encoded: Uint8Array): Result<ParsedRequest<MessageShape<I>>> {
    const violation = binary.scan(encoded)
    if (violation !== null) return fail('oauth.invalid_request', { violations: [violation] })
    const { items } = binary
    try {
      const message = fromBinary(input, encoded, BINARY_OPTIONS)
      empty?.omit(message)
      return success({ message, items })
    } catch {
      return unreadable('', 'the message is not a valid encoding of the request')
    }
  }

  function parseJson({ encoded }: JsonRequest): Result<ParsedRequest<MessageShape<I>>> {
    const violation = json.scan(encoded)
    if (violation !== null) return fail('oauth.invalid_request', { violations: [violation] })
    const { items } = json
    try {
      const value: JsonValue = JSON.parse(utf8.decode(encoded))
      if (empty !== null && isObject(value)) empty.omitFromJson(value)
      const message = fromJson(input, value)
      empty?.omit(message)
      return success({ message, items })
    } catch (error) {
      // The parser's own words would repeat what was sent, secrets too: only the field is named.
      const cause = error instanceof Error ? error.cause : null
      return unreadable(isFieldError(cause) ? cause.field().name : '', 'is not a valid JSON encoding of the request')
    }
  }

  return (encoded) => (encoded instanceof JsonRequest ? parseJson(encoded) : parseBinary(encoded))
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unreadable(field: string, description: string): FailedResult {
  return fail('oauth.invalid_request', { violations: [{ field, description }] })
}

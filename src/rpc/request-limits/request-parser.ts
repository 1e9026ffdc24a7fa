import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf'
import { isFieldError } from '@bufbuild/protobuf/reflect'
import { type FailedResult, fail, invalidRequest, type Result, success } from '../../results.ts'
import { BinaryScan } from './binary-scan.ts'
import { emptyFields } from './empty-fields.ts'
import { JsonRequest } from './json-request.ts'
import { JsonScan } from './json-scan.ts'
import { messageLimits } from './message-limits.ts'

/** A request as it came over the wire: bytes are protobuf's binary encoding. */
export type EncodedRequest = Uint8Array | JsonRequest

/** A request that may be decoded. */
export interface ScannedRequest<I extends DescMessage, E extends DescMessage> {
  /** How many things it asks for beside itself: what its lists hold. */
  readonly items: number
  /** The field that is read before the rest; `null`: it was not sent. */
  readonly early: MessageShape<E> | null
  /** The whole of it, where it is so small that it was decoded at once; else `null`. */
  readonly message: MessageShape<I> | null
}

/** Up to so many bytes are decoded at once: that costs less than to decode a part of them twice. */
const SMALL = 2_048

export interface RequestParserOptions<E extends DescMessage> {
  /** RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request." */
  readonly emptyIsOmitted: boolean
  /** The field of the request with what proves its caller, and its type; `null`: it has none. */
  readonly early: { readonly field: DescField; readonly schema: E } | null
}

/** Reads requests of one type from either encoding, none of them larger or other than its schema allows. */
export interface RequestParser<I extends DescMessage, E extends DescMessage> {
  /** Looks at all of a request and decodes only what is read early: what a stranger may have done. */
  scan(encoded: EncodedRequest): Result<ScannedRequest<I, E>>
  /** Decodes a request that was scanned, and not decoded yet. */
  decode(encoded: EncodedRequest): Result<MessageShape<I>>
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** What this server does not know it does not keep. */
const BINARY_OPTIONS = Object.freeze({ readUnknownFields: false })

export function requestParser<I extends DescMessage, E extends DescMessage>(
  input: I,
  { emptyIsOmitted, early }: RequestParserOptions<E>,
): RequestParser<I, E> {
  const limits = messageLimits(input)
  const earlyLimits = early === null ? null : (limits.byNumber.get(early.field.number) ?? null)
  const [binary, json] = [new BinaryScan(limits, earlyLimits), new JsonScan(limits, earlyLimits)]
  const decodeAll = decoder(input, emptyIsOmitted)
  const decodeEarly = early === null ? null : decoder(early.schema, emptyIsOmitted)
  const earlyName = early?.field.localName ?? null

  return {
    scan(encoded) {
      const isJson = encoded instanceof JsonRequest
      const bytes = isJson ? encoded.encoded : encoded
      const scan = isJson ? json : binary
      const violation = scan.scan(bytes)
      if (violation !== null) return fail('oauth.invalid_request', { violations: [violation] })
      const { items, earlyFrom, earlyTo } = scan
      if (bytes.length <= SMALL) {
        const decoded = decodeAll(bytes, isJson)
        if (!decoded.ok) return decoded
        const message = decoded.value
        return success({ items, early: earlyName === null ? null : earlyOf(message, earlyName), message })
      }
      if (decodeEarly === null || earlyTo < 0) return success({ items, early: null, message: null })
      const decoded = decodeEarly(bytes.subarray(earlyFrom, earlyTo), isJson)
      return decoded.ok ? success({ items, early: decoded.value, message: null }) : decoded
    },
    decode: (encoded) =>
      encoded instanceof JsonRequest ? decodeAll(encoded.encoded, true) : decodeAll(encoded, false),
  }

  /** The descriptor says that the field, where set, is this message. */
  function earlyOf(message: MessageShape<I>, name: string): MessageShape<E> | null {
    return (Reflect.get(message, name) ?? null) as MessageShape<E> | null
  }
}

function decoder<D extends DescMessage>(schema: D, emptyIsOmitted: boolean) {
  const empty = emptyIsOmitted ? emptyFields(schema) : null
  return (bytes: Uint8Array, isJson: boolean): Result<MessageShape<D>> => {
    try {
      const message = isJson ? fromJson(schema, parsed(bytes)) : fromBinary(schema, bytes, BINARY_OPTIONS)
      empty?.omit(message)
      return success(message)
    } catch (error) {
      return unreadable(error, isJson)
    }
  }

  function parsed(bytes: Uint8Array): JsonValue {
    const value: JsonValue = JSON.parse(utf8.decode(bytes))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) empty?.omitFromJson(value)
    return value
  }
}

/** The decoder's own words would repeat what was sent, secrets too: only the field is named. */
function unreadable(error: unknown, isJson: boolean): FailedResult {
  const cause = error instanceof Error ? error.cause : null
  const field = isFieldError(cause) ? cause.field().name : ''
  const encoding = isJson
    ? 'is not a valid JSON encoding of the request'
    : 'the message is not a valid encoding of the request'
  return invalidRequest(field, encoding)
}

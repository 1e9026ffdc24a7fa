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
import { EmptyFields } from './empty-fields.ts'
import { JsonScan } from './json-scan.ts'
import { messageLimits } from './message-limits.ts'
import { unreadableField } from './unreadable-field.ts'

/** A request in protobuf's JSON, still encoded. */
export class JsonRequest {
  readonly encoded: Uint8Array

  constructor(encoded: Uint8Array) {
    this.encoded = encoded
  }
}

/** An encoded request. Bytes are protobuf's binary encoding. */
export type EncodedRequest = Uint8Array | JsonRequest

/** A request that may be decoded. */
export interface ScannedRequest<I extends DescMessage, E extends DescMessage> {
  /** The number of items in its lists. */
  readonly items: number
  /** The field that is decoded before the rest. `null`: not sent. */
  readonly early: MessageShape<E> | null
  /** The decoded message, if the request is so small that it was decoded at once. Otherwise `null`. */
  readonly message: MessageShape<I> | null
}

/** Requests up to this size are decoded completely, which costs less than decoding a part of them twice. */
const SMALL_REQUEST_BYTES = 2_048

export interface RequestParserOptions<E extends DescMessage> {
  /** RFC 6749 §3.1: "Parameters sent without a value MUST be treated as if they were omitted from the request." */
  readonly emptyIsOmitted: boolean
  /** The request field with the caller's credentials, and its type. `null`: none. */
  readonly early: { readonly field: DescField; readonly schema: E } | null
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** Unknown fields are not kept. */
const BINARY_OPTIONS = Object.freeze({ readUnknownFields: false })

/** Parses requests of one type in either encoding. Rejects those that exceed their limits or do not match the schema. */
export class RequestParser<I extends DescMessage, E extends DescMessage> {
  readonly #binary: BinaryScan
  readonly #json: JsonScan
  readonly #request: Decoder<I>
  readonly #early: Decoder<E> | null
  /** The name of the field that is decoded early. */
  readonly #earlyName: string | null

  constructor(input: I, { emptyIsOmitted, early }: RequestParserOptions<E>) {
    const limits = messageLimits(input)
    const earlyLimits = early === null ? null : (limits.byNumber.get(early.field.number) ?? null)
    this.#binary = new BinaryScan(limits, earlyLimits)
    this.#json = new JsonScan(limits, earlyLimits)
    this.#request = new Decoder(input, emptyIsOmitted)
    this.#early = early === null ? null : new Decoder(early.schema, emptyIsOmitted)
    this.#earlyName = early?.field.localName ?? null
  }

  /** Scans the whole request but decodes only the early field, to limit the work for unauthenticated callers. */
  scan(encoded: EncodedRequest): Result<ScannedRequest<I, E>> {
    const isJson = encoded instanceof JsonRequest
    const bytes = isJson ? encoded.encoded : encoded
    const scan = isJson ? this.#json : this.#binary
    const violation = scan.scan(bytes)
    if (violation !== null) return fail('oauth.invalid_request', { violations: [violation] })
    const { items, earlyFrom, earlyTo } = scan
    if (bytes.length <= SMALL_REQUEST_BYTES) {
      const decoded = this.#request.decode(bytes, isJson)
      return decoded.ok ? success({ items, early: this.#earlyOf(decoded.value), message: decoded.value }) : decoded
    }
    if (this.#early === null || earlyTo < 0) return success({ items, early: null, message: null })
    const decoded = this.#early.decode(bytes.subarray(earlyFrom, earlyTo), isJson)
    return decoded.ok ? success({ items, early: decoded.value, message: null }) : decoded
  }

  /** Decodes a scanned request that has not been decoded. */
  decode(encoded: EncodedRequest): Result<MessageShape<I>> {
    return encoded instanceof JsonRequest
      ? this.#request.decode(encoded.encoded, true)
      : this.#request.decode(encoded, false)
  }

  /** The descriptor declares the field with this type. */
  #earlyOf(message: MessageShape<I>): MessageShape<E> | null {
    return this.#earlyName === null ? null : ((Reflect.get(message, this.#earlyName) ?? null) as MessageShape<E> | null)
  }
}

/** Decodes messages of one type. */
class Decoder<D extends DescMessage> {
  readonly #schema: D
  readonly #empty: EmptyFields | null

  constructor(schema: D, emptyIsOmitted: boolean) {
    this.#schema = schema
    this.#empty = emptyIsOmitted ? new EmptyFields(schema) : null
  }

  decode(bytes: Uint8Array, isJson: boolean): Result<MessageShape<D>> {
    const decoded = isJson ? this.#decodeJson(bytes) : this.#decodeBinary(bytes)
    if (decoded.ok) this.#empty?.omit(decoded.value)
    return decoded
  }

  /** Names only the field, because the decoder's message would repeat the input, which may contain secrets. */
  #decodeBinary(bytes: Uint8Array): Result<MessageShape<D>> {
    try {
      return success(fromBinary(this.#schema, bytes, BINARY_OPTIONS))
    } catch (error) {
      const cause = error instanceof Error ? error.cause : null
      return invalidRequest(isFieldError(cause) ? cause.field().name : '', 'is not a valid encoding')
    }
  }

  #decodeJson(bytes: Uint8Array): Result<MessageShape<D>> {
    const value = parsedJson(bytes)
    if (value === null) return INVALID_JSON
    if (typeof value === 'object' && !Array.isArray(value)) this.#empty?.omitFromJson(value)
    try {
      return success(fromJson(this.#schema, value))
    } catch {
      const violation = unreadableField(this.#schema, value)
      return violation === null ? INVALID_JSON : invalidRequest(violation.field, violation.description)
    }
  }
}

const INVALID_JSON: FailedResult = Object.freeze(invalidRequest('', 'must be a valid JSON object in UTF-8'))

/** `null`: the bytes are not JSON, or the JSON `null`, which is not a message. */
function parsedJson(bytes: Uint8Array): JsonValue {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    return null
  }
}

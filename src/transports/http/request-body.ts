import { Code, ConnectError } from '@connectrpc/connect'
import type { FailedResult } from '../../results.ts'
import { JsonRequest } from '../../rpc/request-limits/request-parser.ts'
import { mediaTypeOf } from '../media-type.ts'
import type { Exchange } from './exchange/http-call-info.ts'
import { type BodyLimits, type ReadBody, readBody } from './exchange/read-body.ts'

/** Connect streams and gRPC-Web put each message into an envelope: one byte of flags, and four bytes of length. */
const ENVELOPED = /^application\/(?:connect\+|grpc-web)/
const JSON_TYPE = /^application\/(?:json|connect\+json|grpc-web\+json)$/
const ENVELOPE_BYTES = 5

/** The options for reading the message of a call. */
export interface MessageBodyOptions extends BodyLimits {
  /** Converts a refusal to the error that Connect throws. */
  readonly refusalOf: (failed: FailedResult) => ConnectError
}

const EMPTY_PROTO = new Uint8Array()
const EMPTY_JSON = new TextEncoder().encode('{}')

/**
 * Reads the message of a call into its exchange, and yields an empty message for Connect to parse instead. As on gRPC, the
 * pipeline parses the message. A malformed or oversized message thus gets an error of QScope, and no message is built before
 * the caller is known.
 */
export async function* messageBody(
  exchange: Exchange,
  peer: string,
  { maxBytes, incoming, refusalOf }: MessageBodyOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const type = mediaTypeOf(exchange.request.headers['content-type'] ?? '')
  const enveloped = ENVELOPED.test(type)
  const isJson = JSON_TYPE.test(type)
  const limit = enveloped ? maxBytes + ENVELOPE_BYTES : maxBytes
  const body = completeBody(await readBody(exchange, peer, { maxBytes: limit, incoming }), limit, refusalOf)
  const message = enveloped ? unwrapped(body) : body
  exchange.message = isJson ? new JsonRequest(message) : message
  const empty = isJson ? EMPTY_JSON : EMPTY_PROTO
  yield enveloped ? wrapped(empty) : empty
}

function completeBody(body: ReadBody, maxBytes: number, refusalOf: MessageBodyOptions['refusalOf']): Uint8Array {
  switch (body.kind) {
    case 'complete':
      return body.bytes
    case 'too large':
      throw new ConnectError(`The request is larger than ${maxBytes} bytes.`, Code.ResourceExhausted)
    case 'refused':
      throw refusalOf(body.failed)
    default:
      return body satisfies never
  }
}

/** The only message of an enveloped body. No call accepts a stream of requests, and compression is not supported. */
function unwrapped(body: Uint8Array): Uint8Array {
  if (body.byteLength < ENVELOPE_BYTES) throw broken('the body holds no message')
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  if (view.getUint8(0) !== 0) throw broken('the message is compressed, or none')
  if (view.getUint32(1) !== body.byteLength - ENVELOPE_BYTES) throw broken('the body is not exactly one message')
  return body.subarray(ENVELOPE_BYTES)
}

function broken(what: string): ConnectError {
  return new ConnectError(`protocol error: ${what}`, Code.InvalidArgument)
}

function wrapped(message: Uint8Array): Uint8Array {
  const envelope = new Uint8Array(ENVELOPE_BYTES + message.byteLength)
  new DataView(envelope.buffer).setUint32(1, message.byteLength)
  envelope.set(message, ENVELOPE_BYTES)
  return envelope
}

import { Code, ConnectError } from '@connectrpc/connect'
import { JsonRequest } from '../grpc/json-request.ts'
import { mediaTypeOf } from '../grpc/media-type.ts'
import type { Exchange } from './exchange.ts'

/** Connect streams and gRPC-Web put each message into an envelope: a byte of flags, four of length. */
const ENVELOPED = /^application\/(?:connect\+|grpc-web)/
const JSON_TYPE = /^application\/(?:json|connect\+json|grpc-web\+json)$/
const ENVELOPE_BYTES = 5

const EMPTY_PROTO = new Uint8Array()
const EMPTY_JSON = new TextEncoder().encode('{}')

/**
 * Reads the message of a call into its exchange, and yields an empty one for
 * Connect to parse in its stead. As on gRPC it is the pipeline that parses: what
 * is broken or too much gets an error of ours, and costs nobody the time of
 * building a message before the caller is known.
 */
export async function* messageBody(exchange: Exchange, maxBytes: number): AsyncGenerator<Uint8Array, void, void> {
  const type = mediaTypeOf(exchange.request.headers['content-type'] ?? '')
  const enveloped = ENVELOPED.test(type)
  const isJson = JSON_TYPE.test(type)
  const body = await readAll(exchange, enveloped ? maxBytes + ENVELOPE_BYTES : maxBytes)
  const message = enveloped ? unwrapped(body) : body
  exchange.message = isJson ? new JsonRequest(message) : message
  const empty = isJson ? EMPTY_JSON : EMPTY_PROTO
  yield enveloped ? wrapped(empty) : empty
}

async function readAll({ request }: Exchange, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => {
    // The rest is let go of; the connection would have to be read to its end to be of use again.
    request.resume()
    return new ConnectError(`The request is larger than ${maxBytes} bytes.`, Code.ResourceExhausted)
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  // Destroyed with the iterator, the request would take the answer's connection along.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) continue
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] ?? EMPTY_PROTO) : Buffer.concat(chunks)
}

/** The only message of a body with envelopes. No call takes a stream of them, and compression is not offered. */
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

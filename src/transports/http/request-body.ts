import { finished } from 'node:stream/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import type { FailedResult } from '../../results.ts'
import type { IncomingCall, IncomingMessages } from '../../rpc/incoming-messages.ts'
import { JsonRequest } from '../../rpc/request-limits/request-parser.ts'
import { mediaTypeOf } from '../media-type.ts'
import type { Exchange } from './http-call-info.ts'

/** Connect streams and gRPC-Web put each message into an envelope: a byte of flags, four of length. */
const ENVELOPED = /^application\/(?:connect\+|grpc-web)/
const JSON_TYPE = /^application\/(?:json|connect\+json|grpc-web\+json)$/
const ENVELOPE_BYTES = 5

/** What a body may take. */
export interface BodyLimits {
  readonly maxBytes: number
  readonly incoming: IncomingMessages
  /** A refusal as Connect throws it. */
  readonly refusalOf: (failed: FailedResult) => ConnectError
}

const EMPTY_PROTO = new Uint8Array()
const EMPTY_JSON = new TextEncoder().encode('{}')

/**
 * Reads the message of a call into its exchange, and yields an empty one for
 * Connect to parse in its stead. As on gRPC it is the pipeline that parses: what
 * is broken or too much gets an error of ours, and costs nobody the time of
 * building a message before the caller is known.
 */
export async function* messageBody(
  exchange: Exchange,
  peer: string,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array, void, void> {
  const type = mediaTypeOf(exchange.request.headers['content-type'] ?? '')
  const enveloped = ENVELOPED.test(type)
  const isJson = JSON_TYPE.test(type)
  const body = await readAll(exchange, peer, enveloped ? limits.maxBytes + ENVELOPE_BYTES : limits.maxBytes, limits)
  const message = enveloped ? unwrapped(body) : body
  exchange.message = isJson ? new JsonRequest(message) : message
  const empty = isJson ? EMPTY_JSON : EMPTY_PROTO
  yield enveloped ? wrapped(empty) : empty
}

async function readAll(
  { request, response }: Exchange,
  peer: string,
  maxBytes: number,
  { incoming, refusalOf }: BodyLimits,
): Promise<Uint8Array> {
  const tooLarge = () => {
    // The rest is dropped; the connection would have to be read to its end to be of use again.
    request.resume()
    return new ConnectError(`The request is larger than ${maxBytes} bytes.`, Code.ResourceExhausted)
  }
  const declared = request.headers['content-length']
  if (Number(declared ?? 0) > maxBytes) throw tooLarge()
  const body = new IncomingBody(request.socket, peer)
  const message = incoming.open(body, 0)
  const over = () => {
    message.close()
    body.resume()
  }
  response.once('close', over)
  const chunks: Uint8Array[] = []
  let size = 0
  const onData = (chunk: Uint8Array) => {
    size += chunk.byteLength
    if (size > maxBytes) return body.stop()
    message.received(chunk.byteLength)
    chunks.push(chunk)
  }
  try {
    message.expect(declared === undefined ? maxBytes : Number(declared))
    await body.readable
    request.on('data', onData)
    // A request that is refused may send nothing more, and never end.
    await Promise.race([finished(request, { writable: false }), body.stopped])
    if (size > maxBytes) throw tooLarge()
    if (body.refusal === null) return chunks.length === 1 ? (chunks[0] ?? EMPTY_PROTO) : Buffer.concat(chunks)
    response.setHeader('connection', 'close')
    request.resume()
    throw refusalOf(body.refusal)
  } finally {
    request.off('data', onData)
    message.close()
    response.off('close', over)
  }
}

/** The body of a request over HTTP/1.1, which is alone on its connection. */
class IncomingBody implements IncomingCall {
  readonly connection: object
  readonly peer: string
  refusal: FailedResult | null = null
  /** Resolves when the body may be read, or never will be. */
  readable: Promise<void> = Promise.resolve()
  /** Resolves when no more of it is to be read, though it is not complete. */
  readonly stopped: Promise<void>
  readonly stop: () => void
  #makeReadable: () => void = () => undefined

  constructor(connection: object, peer: string) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.connection = connection
    this.peer = peer
    this.stopped = promise
    this.stop = resolve
  }

  pause(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.readable = promise
    this.#makeReadable = resolve
  }

  resume(): void {
    this.#makeReadable()
  }

  refuse(failure: FailedResult): void {
    this.refusal = failure
    this.stop()
    this.#makeReadable()
  }
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

import { finished } from 'node:stream/promises'
import type { FailedResult } from '../../../results.ts'
import type { IncomingCall, IncomingMessages } from '../../../rpc/incoming-messages.ts'
import type { Exchange } from './http-call-info.ts'

/** The limits of a body. */
export interface BodyLimits {
  readonly maxBytes: number
  readonly incoming: IncomingMessages
}

/** A received body, or the reason why it was not read completely. */
export type ReadBody =
  | { readonly kind: 'complete'; readonly bytes: Uint8Array }
  | { readonly kind: 'too large' }
  /** Too much data is being received in total, or the body took too long. */
  | { readonly kind: 'refused'; readonly failed: FailedResult }

/** Reads a complete body within the limits for bodies. Data that is not read is dropped. */
export async function readBody(
  { request, response }: Exchange,
  peer: string,
  { maxBytes, incoming }: BodyLimits,
): Promise<ReadBody> {
  const tooLarge = (): ReadBody => {
    // The rest is dropped. The connection can only be reused after it was read to its end.
    request.resume()
    return { kind: 'too large' }
  }
  const declared = request.headers['content-length']
  if (Number(declared ?? 0) > maxBytes) return tooLarge()
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
    // A refused request may send nothing more and never end.
    await Promise.race([finished(request, { writable: false }), body.stopped])
    if (size > maxBytes) return tooLarge()
    if (body.refusal === null) return { kind: 'complete', bytes: joined(chunks) }
    response.setHeader('connection', 'close')
    request.resume()
    return { kind: 'refused', failed: body.refusal }
  } finally {
    request.off('data', onData)
    message.close()
    response.off('close', over)
  }
}

/** Most bodies come in one piece. */
function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
}

/** The body of a request over HTTP/1.1, which is the only one on its connection. */
class IncomingBody implements IncomingCall {
  readonly connection: object
  readonly peer: string
  refusal: FailedResult | null = null
  /** Resolves when the body may be read, or will never be read. */
  readable: Promise<void> = Promise.resolve()
  /** Resolves when no more of the body is to be read, although it is incomplete. */
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

import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import type { FailedResult } from '../../results.ts'
import type { IncomingCall, IncomingMessage } from '../../rpc/incoming-messages.ts'
import type { TransportSettings } from '../grpc/transport.ts'
import { peerOn } from '../peer.ts'
import { http2ServersOf } from './internals.ts'
import { trailersOnly } from './metadata.ts'

/** One byte of flags, and four bytes of length. */
const PREFIX_BYTES = 5
const COMPRESSED = 1

type IncomingWatchOptions = Pick<TransportSettings, 'incoming' | 'limits' | 'statusOf' | 'peerName'>

/**
 * Counts the messages of all calls while they arrive. grpc-js keeps a message until it is complete, and has no hook to refuse
 * it earlier. Call this when the server is bound.
 */
export function watchIncoming(server: Server, options: IncomingWatchOptions): void {
  const calls = new WeakMap<ServerHttp2Stream, StreamCall>()
  const addresses = new WeakMap<Http2Session, string>()
  // These functions are shared by all calls, which saves three closures for each call.
  function onData(this: ServerHttp2Stream, piece: Buffer): void {
    calls.get(this)?.received(piece)
  }
  function onEnd(this: ServerHttp2Stream): void {
    calls.get(this)?.over()
  }
  function begin(stream: ServerHttp2Stream, _headers: object, flags: number, raw: readonly string[]): void {
    // By now grpc-js has begun to read the call, unless it has already answered it.
    const { session } = stream
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    if (isWhole || session === undefined || stream.listenerCount('data') === 0) return
    let address = addresses.get(session)
    if (address === undefined) {
      address = peerOn(session.socket ?? {}, options.peerName)
      addresses.set(session, address)
    }
    calls.set(stream, new StreamCall(stream, session, address, raw, options))
    stream.prependListener('data', onData)
    // `once` would create a function for each stream. A second end does no harm.
    stream.on('end', onEnd)
    stream.on('close', onEnd)
  }
  for (const http2Server of http2ServersOf(server)) http2Server.on('stream', begin)
}

class StreamCall implements IncomingCall {
  readonly peer: string
  readonly connection: Http2Session
  readonly #stream: ServerHttp2Stream
  readonly #rawHeaders: readonly string[]
  readonly #options: IncomingWatchOptions
  readonly #message: IncomingMessage

  constructor(
    stream: ServerHttp2Stream,
    session: Http2Session,
    address: string,
    rawHeaders: readonly string[],
    options: IncomingWatchOptions,
  ) {
    this.#stream = stream
    this.#rawHeaders = rawHeaders
    this.#options = options
    this.connection = session
    this.peer = address
    let headerBytes = 0
    for (const text of rawHeaders) headerBytes += text.length
    this.#message = options.incoming.open(this, headerBytes)
  }

  received(piece: Buffer): void {
    if (!this.#message.sizeIsKnown) this.#message.expect(this.#sizeFrom(piece))
    this.#message.received(piece.byteLength)
  }

  over(): void {
    this.#message.close()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  refuse(failure: FailedResult): void {
    const stream = this.#stream
    if (stream.closed || stream.destroyed) return
    if (!stream.headersSent) {
      const status = this.#options.statusOf(failure, this)
      stream.respond(trailersOnly(status), { endStream: true })
    }
    // RFC 9113 §8.1: the answer is complete, and the rest of the request is not needed. The received data is dropped.
    stream.close(constants.NGHTTP2_NO_ERROR)
  }

  /** A value of the request metadata. */
  header(key: string): string | undefined {
    const at = this.#rawHeaders.findIndex((name, index) => index % 2 === 0 && name === key)
    return at < 0 ? undefined : this.#rawHeaders[at + 1]
  }

  /** A compressed message may inflate to the largest allowed size. The same is assumed of a message with an unknown size. */
  #sizeFrom(first: Buffer): number {
    const { maxMessageBytes } = this.#options.limits
    if (first.byteLength < PREFIX_BYTES) return maxMessageBytes + PREFIX_BYTES
    const declared = Math.min(first.readUInt32BE(1), maxMessageBytes)
    return PREFIX_BYTES + declared + (first.readUInt8(0) === COMPRESSED ? maxMessageBytes : 0)
  }
}

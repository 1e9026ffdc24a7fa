import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type Server, status } from '@grpc/grpc-js'
import type { GrpcStatus } from '../grpc/transport.ts'
import { trailersOnly } from './metadata.ts'
import { listenBefore } from './stream-listeners.ts'

const KNOWN_ENCODINGS: readonly unknown[] = ['identity', 'gzip']
const UNKNOWN_ENCODING: GrpcStatus = Object.freeze({
  code: status.UNIMPLEMENTED,
  message: 'The server does not know this grpc-encoding.',
  details: null,
  rayId: null,
})

/**
 * Refuses requests that the native transport refuses and grpc-js would accept: requests with a second, different host (RFC
 * 9113 §8.3.1), and messages that are compressed with deflate. Call this when the server is bound, after all other functions
 * that add stream listeners.
 */
export function refuseRequests(server: Server): void {
  listenBefore(server, (others) => (stream, headers, flags, raw) => {
    if (contradictsItself(headers)) reset(stream, constants.NGHTTP2_PROTOCOL_ERROR)
    else if (isUnknown(headers['grpc-encoding'])) {
      stream.respond(trailersOnly(UNKNOWN_ENCODING), { endStream: true })
      // RFC 9113 §8.1: the answer is complete, and the rest of the request is not needed.
      reset(stream, constants.NGHTTP2_NO_ERROR)
    } else others(stream, headers, flags, raw)
  })
}

function contradictsItself({ host, ':authority': authority }: IncomingHttpHeaders): boolean {
  return host !== undefined && authority !== undefined && host !== authority
}

function isUnknown(encoding: unknown): boolean {
  return encoding !== undefined && !KNOWN_ENCODINGS.includes(encoding)
}

function reset(stream: ServerHttp2Stream, code: number): void {
  // The stream has no other error listener. It does not matter that the peer has disconnected.
  stream.on('error', () => undefined)
  stream.close(code)
}

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf } from './grpc-js-internals.ts'
import { mediaTypeOf } from './media-type.ts'

const AUTHORIZATION = 'authorization'
const CONTENT_TYPE = 'content-type'
const GRPC = 'application/grpc'

/**
 * Has grpc-js read the headers of a call as the standards say. It sees every
 * value of `authorization`, so that two can be refused: Node keeps the first and
 * drops the others in silence. And it knows the media type of gRPC in any case,
 * which it compares letter by letter. To be called when the server is bound.
 */
export function correctRequestHeaders(server: Server): void {
  for (const http2Server of http2ServersOf(server)) http2Server.prependListener('stream', correct)
}

function correct(
  _stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  _flags: number,
  raw: readonly string[],
): void {
  const contentType = headers[CONTENT_TYPE]
  if (contentType !== undefined && !contentType.startsWith(GRPC)) headers[CONTENT_TYPE] = mediaTypeOf(contentType)
  if (raw.indexOf(AUTHORIZATION) === raw.lastIndexOf(AUTHORIZATION)) return
  Reflect.set(
    headers,
    AUTHORIZATION,
    raw.filter((_text, index) => index % 2 === 1 && raw[index - 1] === AUTHORIZATION),
  )
}

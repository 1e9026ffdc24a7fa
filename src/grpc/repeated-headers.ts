import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf } from './grpc-js-internals.ts'

const NAME = 'authorization'

/**
 * Shows the calls every value of `authorization`, so that two can be refused:
 * Node keeps the first and drops the others in silence. To be called when the
 * server is bound.
 */
export function keepRepeatedAuthorization(server: Server): void {
  for (const http2Server of http2ServersOf(server)) http2Server.prependListener('stream', restore)
}

function restore(
  _stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  _flags: number,
  raw: readonly string[],
): void {
  if (raw.indexOf(NAME) === raw.lastIndexOf(NAME)) return
  Reflect.set(
    headers,
    NAME,
    raw.filter((_text, index) => index % 2 === 1 && raw[index - 1] === NAME),
  )
}

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf } from './internals.ts'

/** Who is told of a request; `raw` has all fields in their order, each name before its value. */
export type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  raw: readonly string[],
) => void

/**
 * Puts a listener before all others that there are: `make` gets those as one, and the listener decides whether and when
 * they are told. To be called when the server is bound.
 */
export function listenBefore(server: Server, make: (others: StreamListener) => StreamListener): void {
  for (const http2Server of http2ServersOf(server)) {
    const listeners = http2Server.listeners('stream')
    const listener = make((...request) => {
      for (const each of listeners) each.apply(http2Server, request)
    })
    http2Server.removeAllListeners('stream')
    http2Server.on('stream', listener)
  }
}

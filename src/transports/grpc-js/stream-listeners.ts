import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server } from '@grpc/grpc-js'
import { http2ServersOf } from './internals.ts'

/** A listener for requests. `raw` has all header fields in their order, each name before its value. */
export type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  raw: readonly string[],
) => void

/**
 * Puts a listener before all existing ones. `make` gets the existing listeners as one function. The new listener decides
 * whether and when to call it. Call this when the server is bound.
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

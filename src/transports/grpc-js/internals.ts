import type { Http2Server, Http2Session } from 'node:http2'
import type { Server } from '@grpc/grpc-js'

/**
 * What grpc-js keeps to itself (checked with 1.14) and QScope needs: its HTTP/2
 * servers, and the session of a call. Where they are not found, the first
 * throws, so that no server starts without its limits.
 */
export function http2ServersOf(server: Server): readonly Http2Server[] {
  const http2Servers: unknown = Reflect.get(server, 'http2Servers')
  if (!(http2Servers instanceof Map) || http2Servers.size === 0) {
    throw new Error('this version of grpc-js keeps its HTTP/2 servers elsewhere')
  }
  return [...http2Servers.keys()]
}

/** The HTTP/2 session of a call; `null` where the call has none any more. */
export function sessionOf(call: object): Http2Session | null {
  const session = at(call, 'call', 'stream', 'session')
  return typeof session === 'object' && session !== null ? (session as Http2Session) : null
}

function at(from: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    from,
  )
}

import type { Http2Server, Http2Session } from 'node:http2'
import type { Server } from '@grpc/grpc-js'

/**
 * The internals of grpc-js that QScope needs (checked with 1.14): its HTTP/2 servers, and the session of a call. This
 * function throws if it does not find the servers, so no server starts without its limits.
 */
export function http2ServersOf(server: Server): readonly Http2Server[] {
  const http2Servers: unknown = Reflect.get(server, 'http2Servers')
  if (!(http2Servers instanceof Map) || http2Servers.size === 0) {
    throw new Error('this version of grpc-js keeps its HTTP/2 servers elsewhere')
  }
  return [...http2Servers.keys()]
}

/** The HTTP/2 session of a call; `null` if the call no longer has one. */
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

import type { Transport } from '@connectrpc/connect'
import type { CallOptions, Channel } from '../channel.ts'
import { QScopeError } from '../qscope-error.ts'

/**
 * A `Channel` over a transport of Connect: `createGrpcTransport` of
 * `@connectrpc/connect-node` to the gRPC port, or any other to the HTTP side
 * door. The transport's `baseUrl` says whether the connection is encrypted;
 * with the interceptor `refusePlaintext` it does not leave this machine unless.
 */
export function connectChannel(transport: Transport): Channel {
  return {
    async unary(method, request, options = {}) {
      const { signal } = options
      signal?.throwIfAborted()
      try {
        return (await transport.unary(method, signal, timeoutOf(options), headersOf(options), request)).message
      } catch (error) {
        throw failureOf(error, signal)
      }
    },
    async *serverStream(method, request, options = {}) {
      const { signal } = options
      signal?.throwIfAborted()
      // Connect goes on with a call whose answers nobody reads any more.
      const left = new AbortController()
      const ended = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal])
      try {
        const answer = await transport.stream(method, ended, timeoutOf(options), headersOf(options), once(request))
        yield* answer.message
      } catch (error) {
        throw failureOf(error, signal)
      } finally {
        left.abort()
      }
    },
  }
}

/** Connect takes 0 and less for no limit, and writes parts of a millisecond, which servers refuse. */
function timeoutOf({ timeoutMs }: CallOptions): number | undefined {
  return timeoutMs === undefined ? undefined : Math.max(Math.ceil(timeoutMs), 1)
}

function headersOf({ bearer }: CallOptions): Record<string, string> {
  return bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value
}

function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? signal.reason : (QScopeError.from(error) ?? error)
}

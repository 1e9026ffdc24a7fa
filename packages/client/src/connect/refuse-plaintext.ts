import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'
import { isLoopbackUrl } from '../loopback.ts'

/** Where calls may go. */
export interface RefusePlaintextOptions {
  /** Lets plaintext leave this machine: inside a mesh that encrypts. */
  readonly allowPlaintext?: boolean | undefined
}

/**
 * Keeps the secrets and tokens of a transport's calls on this machine where its
 * `baseUrl` is not https. A transport does not tell `connectChannel` where it
 * goes, so it has this as its last interceptor.
 *
 * @example
 * connectChannel(createGrpcTransport({ baseUrl, interceptors: [refusePlaintext()] }))
 */
export function refusePlaintext({ allowPlaintext = false }: RefusePlaintextOptions = {}): Interceptor {
  return (next) => async (request) => {
    if (allowPlaintext || request.url.startsWith('https:') || isLoopbackUrl(request.url)) return await next(request)
    const { host } = new URL(request.url)
    const message = `${host} is not on this machine: secrets do not go there in plaintext (or say allowPlaintext)`
    throw new ConnectError(message, Code.FailedPrecondition)
  }
}

import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'
import { QScopeError } from '../qscope-error.ts'
import type { TokenSource } from '../tokens/access-token.ts'

/** Where tokens may go. */
export interface AttachTokenOptions {
  /** Lets tokens go over plaintext, where anybody can read them: for a loopback address, or inside a mesh that encrypts. */
  readonly allowPlaintext?: boolean | undefined
}

/**
 * Puts the access token into each call of a Connect client. When a server
 * answers that the token is not good, the next call gets another; the call
 * itself is not repeated.
 */
export function attachToken(source: TokenSource, { allowPlaintext = false }: AttachTokenOptions = {}): Interceptor {
  async function tokenFor(signal: AbortSignal): Promise<string> {
    try {
      return (await source.token({ signal })).value
    } catch (error) {
      if (!(error instanceof QScopeError)) throw error
      throw new ConnectError(`no access token: ${error.message}`, Code.Unavailable, undefined, undefined, error)
    }
  }

  return (next) => async (request) => {
    if (!allowPlaintext && !request.url.startsWith('https:')) {
      throw new ConnectError(
        'an access token is not sent over plaintext (or say allowPlaintext)',
        Code.FailedPrecondition,
      )
    }
    const value = await tokenFor(request.signal)
    request.header.set('authorization', `Bearer ${value}`)
    try {
      return await next(request)
    } catch (error) {
      if (ConnectError.from(error).code === Code.Unauthenticated) source.discard(value)
      throw error
    }
  }
}

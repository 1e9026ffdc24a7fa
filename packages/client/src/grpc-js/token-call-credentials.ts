import { type CallCredentials, credentials, Metadata, status } from '@grpc/grpc-js'
import type { TokenSource } from '../tokens/access-token.ts'

/**
 * Puts the access token into each call of a grpc-js client.
 *
 * Combine them with the channel's: grpc-js refuses to combine them with
 * plaintext, on which anybody could read the token.
 *
 * @example
 * const secure = credentials.combineChannelCredentials(credentials.createSsl(), tokenCallCredentials(source))
 * const orders = new OrdersClient('orders.internal:443', secure)
 */
export function tokenCallCredentials(source: TokenSource): CallCredentials {
  return credentials.createFromMetadataGenerator((_options, done) => {
    source.token().then(
      ({ value }) => {
        const metadata = new Metadata()
        metadata.set('authorization', `Bearer ${value}`)
        done(null, metadata)
      },
      (error: unknown) => done(withoutToken(error)),
    )
  })
}

/** grpc-js takes the status of the call from the error. */
function withoutToken(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause)
  return Object.assign(new Error(`no access token: ${message}`, { cause }), { code: status.UNAVAILABLE })
}

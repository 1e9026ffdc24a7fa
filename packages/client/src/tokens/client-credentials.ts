import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { Channel } from '../channel.ts'
import { authenticationOf, type ClientProof } from '../client-proof.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { stopwatch } from '../stopwatch.ts'
import { accessTokenOf, type TokenSource } from './access-token.ts'
import { KeptToken, type Watchers } from './kept-token.ts'

const TIMEOUT_MS = 10_000

/** What a service wants to call others with. */
export interface ClientCredentialsOptions extends Watchers {
  readonly client: ClientProof
  /** None: all that the client may have. */
  readonly scopes?: readonly string[] | undefined
  /** None: no audience. */
  readonly audiences?: readonly string[] | undefined
  /** Milliseconds, at most the client's `access_token_ttl`, which is the default. */
  readonly lifetimeMs?: number | undefined
  /** Of one request to QScope, milliseconds; 10 s unless given. */
  readonly timeoutMs?: number | undefined
}

/**
 * Access tokens of a service for its own calls (RFC 6749 §4.4).
 *
 * A token is minted when it is first asked for and used again until shortly
 * before it expires. It is renewed early, in the last fifth of its life, while
 * callers go on with the one at hand; should QScope be away then, they go on
 * until it expires. A caller's signal ends that caller's wait, not the others'.
 */
export function clientCredentials(channel: Channel, options: ClientCredentialsOptions): TokenSource {
  const { client, scopes = [], audiences = [], lifetimeMs, timeoutMs = TIMEOUT_MS } = options
  return new KeptToken(async () => {
    const age = stopwatch()
    const answer = await channel.unary(
      TokenService.method.mintToken,
      {
        client: await authenticationOf(client),
        scopes: [...scopes],
        audiences: [...audiences],
        ...(lifetimeMs !== undefined && { lifetime: durationFromMs(lifetimeMs) }),
      },
      { timeoutMs },
    )
    return accessTokenOf(answer.token, age)
  }, options)
}

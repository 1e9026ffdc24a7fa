import { abortable } from '../abortable.ts'
import type { Channel } from '../channel.ts'
import { askAboutToken, type Caller, tokenOf } from './token-question.ts'
import { LONGEST_TOKEN, type PresentedToken, type TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

const TIMEOUT_MS = 5_000

/** Who asks, and for whom tokens have to be. */
export interface OnlineVerifierOptions {
  /** Who asks: the resource server as a client, or a source of tokens with `qscope:tokens.read`. */
  readonly caller: Caller
  /** The audience that a token must name. `null` takes any, tokens for nobody in particular included. */
  readonly audience: string | null
  /** Of one check, milliseconds; 5 s unless given. */
  readonly timeoutMs?: number | undefined
}

/**
 * Asks QScope about each token (`VerifyToken`), opaque ones and JWTs alike.
 * Nothing is kept: a token that is revoked is refused from the next check on.
 * Equal checks of the same turn of the event loop share one call; none joins a
 * call that is sent already, whose answer may be older than a revocation.
 */
export function onlineVerifier(channel: Channel, options: OnlineVerifierOptions): TokenVerifier {
  const { caller, audience, timeoutMs = TIMEOUT_MS } = options
  let turn = new Map<string, Promise<VerifiedToken | null>>()

  async function ask({ value, certificate }: PresentedToken): Promise<VerifiedToken | null> {
    const claims = await askAboutToken(channel, caller, { token: value, audience, certificate }, timeoutMs)
    return claims === null ? null : tokenOf(claims)
  }

  return {
    async verify(presented) {
      const { value, certificate, signal } = presented
      signal?.throwIfAborted()
      if (value === '' || value.length > LONGEST_TOKEN) return null
      const key = `${certificate ?? ''} ${value}`
      if (turn.size === 0) {
        setImmediate(() => {
          turn = new Map()
        })
      }
      let check = turn.get(key)
      if (check === undefined) {
        // Sent when the turn is over, and joined until then.
        check = new Promise<void>((resolve) => setImmediate(resolve)).then(() => ask(presented))
        turn.set(key, check)
      }
      return await abortable(check, signal)
    },
  }
}

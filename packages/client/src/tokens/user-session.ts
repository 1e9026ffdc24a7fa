import type { Channel } from '../channel.ts'
import { authenticationOf, type ClientProof } from '../client-proof.ts'
import { TokenService } from '../gen/qscope/v1/token_service_pb.ts'
import { pause } from '../pause.ts'
import { QScopeError } from '../qscope-error.ts'
import { stopwatch } from '../stopwatch.ts'
import { type AccessToken, accessTokenOf, type TokenSource } from './access-token.ts'
import { KeptToken, type Watchers } from './kept-token.ts'
import { UncertainRefreshError } from './uncertain-refresh-error.ts'

/** The default of a client's `refresh_token_replay_window`. */
const REPLAY_WINDOW_MS = 10_000
/** A repetition has to arrive inside the window, not only to leave. */
const USED_SHARE = 0.7
const ATTEMPTS = 3
const PAUSE_MS = 200
const SHORTEST_TIMEOUT_MS = 1_000
/** Where nothing can be repeated, all the time goes to the one attempt. */
const ONLY_TIMEOUT_MS = 10_000

/** A user's consent, as it stands between two refreshes. */
export interface UserSessionOptions extends Watchers {
  readonly client: ClientProof
  /** The latest refresh token. */
  readonly refreshToken: string
  /** The access token that came with it, if it is still at hand. */
  readonly accessToken?: AccessToken | undefined
  /** Fewer scopes than consented to; the same for each refresh. */
  readonly scopes?: readonly string[] | undefined
  /** Fewer audiences than consented to (RFC 8707 §2.2); the same for each refresh. None: all of them. */
  readonly audiences?: readonly string[] | undefined
  /** Keeps the successor where the refresh token was kept. The new tokens are not used before it resolves. */
  readonly save: (tokens: SavedTokens) => void | Promise<void>
  /** The client's `refresh_token_replay_window`, milliseconds: 10 s unless it is registered with another. */
  readonly replayWindowMs?: number | undefined
}

/** What a refresh brought. */
export interface SavedTokens {
  readonly refreshToken: string
  readonly accessToken: AccessToken
}

/** Access tokens that speak for a user, as long as the user's consent stands. */
export interface UserSession extends TokenSource {
  /** The refresh token that is good now. */
  readonly refreshToken: string
  /**
   * After an `UncertainRefreshError`: presents the same refresh token once more.
   * If the lost call did spend it, QScope takes that for theft and revokes the
   * whole grant, so this is for those who would have the user log in otherwise.
   */
  presentAgain(): void
}

/**
 * Refreshes a user's tokens (RFC 6749 §6), one request at a time. Refresh tokens
 * rotate, and are good once. If an answer is lost, the same call is repeated
 * inside the client's replay window, where QScope gives the same answer again;
 * never outside of it.
 */
export function userSession(channel: Channel, options: UserSessionOptions): UserSession {
  const { client, scopes = [], audiences = [], save, replayWindowMs = REPLAY_WINDOW_MS } = options
  let { refreshToken } = options
  let ended: Error | null = null
  let unsaved: SavedTokens | null = null

  /** Each attempt has a part of the window, so that there is time for another. */
  const timeoutMs =
    replayWindowMs === 0 ? ONLY_TIMEOUT_MS : Math.max((replayWindowMs * USED_SHARE) / ATTEMPTS, SHORTEST_TIMEOUT_MS)
  const ask = async () =>
    await channel.unary(
      TokenService.method.refreshToken,
      { client: await authenticationOf(client), refreshToken, scopes: [...scopes], audiences: [...audiences] },
      { timeoutMs },
    )

  const refresh = async () => {
    const age = stopwatch()
    for (let lost = false; ; ) {
      try {
        const { token } = await ask()
        return { accessToken: accessTokenOf(token, age), refreshToken: token?.refreshToken ?? refreshToken }
      } catch (error) {
        if (error instanceof QScopeError && error.reason === 'OAUTH_INVALID_GRANT') ended = error
        lost ||= error instanceof QScopeError && error.isOutcomeUnknown
        // Without a lost answer the token is unspent, or refused for good.
        if (!lost || ended !== null) throw error
        const maySucceed = error instanceof QScopeError && (error.isOutcomeUnknown || error.isTemporary)
        if (maySucceed) await pause(PAUSE_MS * (0.5 + Math.random()))
        if (!maySucceed || age() >= replayWindowMs * USED_SHARE) {
          ended = new UncertainRefreshError({ cause: error })
          throw ended
        }
      }
    }
  }

  const kept = new KeptToken(
    async () => {
      if (ended !== null) throw ended
      // What could not be saved is saved before anything else: the token before it is spent.
      const tokens = unsaved ?? (await refresh())
      unsaved = tokens
      refreshToken = tokens.refreshToken
      await save(tokens)
      unsaved = null
      return tokens.accessToken
    },
    options,
    options.accessToken ?? null,
  )
  return {
    token: (wanted) => kept.token(wanted),
    discard: (value) => kept.discard(value),
    get refreshToken() {
      return refreshToken
    },
    presentAgain: () => {
      if (ended instanceof UncertainRefreshError) ended = null
    },
  }
}

import { durationMs } from '@bufbuild/protobuf/wkt'
import type { IssuedToken } from '../gen/qscope/v1/token_pb.ts'
import { type Stopwatch, stopwatch } from '../stopwatch.ts'

/** An access token of one's own. */
export interface AccessToken {
  /** The bearer value: secret. */
  readonly value: string
  /** Its public handle, for logs. */
  readonly tokenId: string
  readonly scopes: readonly string[]
  /** What it is for; empty: anybody. */
  readonly audiences: readonly string[]
  /** Milliseconds that are left of its life, by a clock of this machine that nobody can set back. */
  readonly remainingMs: () => number
  readonly lifetimeMs: number
}

/** Where access tokens come from: `clientCredentials` or `userSession`. */
export interface TokenSource {
  /**
   * A token that is good now. Calls at the same time share one request to
   * QScope, and a token is used again until shortly before it expires.
   *
   * @throws QScopeError when there is none to be had, and the signal's reason.
   */
  token(options?: { readonly signal?: AbortSignal | undefined }): Promise<AccessToken>
  /** Says that a resource server refused this token, so that the next call gets another. */
  discard(value: string): void
}

/** @param age runs since before the token was asked for, so that it is never thought younger than it is. */
export function accessTokenOf(issued: IssuedToken | undefined, age: Stopwatch = stopwatch()): AccessToken {
  if (issued === undefined) throw new TypeError('QScope answered without a token')
  const { accessToken, tokenId, scopes, audiences, expiresIn } = issued
  const lifetimeMs = expiresIn === undefined ? 0 : durationMs(expiresIn)
  return Object.freeze({
    value: accessToken,
    tokenId,
    scopes: Object.freeze([...scopes]),
    audiences: Object.freeze([...audiences]),
    lifetimeMs,
    remainingMs: () => lifetimeMs - age(),
  })
}

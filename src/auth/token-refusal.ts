import type { CallContext } from '../context.ts'
import type { InactiveReason } from '../domain/access-token.ts'
import type { GrantInactiveReason } from '../domain/grant.ts'
import type { ClientId, TokenId } from '../domain/ids.ts'

/** The reason why a token was refused, in the words of the server log. */
export type TokenRefusal =
  | InactiveReason
  | GrantInactiveReason
  /** The token is not of this server, mistyped, or deleted since. */
  | 'unknown'
  /** The token belongs to another client, and the caller is not in its audience. */
  | 'not_visible'
  /** A token that it was exchanged from no longer counts. */
  | 'ancestor_inactive'
  /** A refresh token that was exchanged for its successor. */
  | 'spent'
  | 'not_an_access_token'
  | 'wrong_audience'
  | 'certificate_mismatch'
  | 'missing_scope'

type Handle = { readonly tokenId: TokenId; readonly clientId: ClientId }

/**
 * Logs the reason why a token was refused, by its handle and never by its value, under the call's ray id. Unknown
 * tokens can be invented by any caller. They are logged only at debug level, so they do not flood the log.
 */
export function noteRefusal(
  ctx: Pick<CallContext, 'log' | 'rayId'>,
  refusal: TokenRefusal,
  token: Handle | null,
): void {
  const fields = { rayId: ctx.rayId, reason: refusal }
  if (token === null) ctx.log.debug(fields, MESSAGE)
  else ctx.log.info({ ...fields, tokenId: token.tokenId, tokenClientId: token.clientId }, MESSAGE)
}

const MESSAGE = 'token refused'

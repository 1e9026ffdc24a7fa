import type { CallContext } from '../context.ts'
import type { InactiveReason } from '../domain/access-token.ts'
import type { GrantInactiveReason } from '../domain/grant.ts'
import type { ClientId, TokenId } from '../domain/ids.ts'

/** Why a token was refused, as the log of the server says it. */
export type TokenRefusal =
  | InactiveReason
  | GrantInactiveReason
  /** No token of this server, mistyped, or deleted since. */
  | 'unknown'
  /** Another client's, and not meant for the one that asks. */
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
 * Notes why a token was refused, by its handle and never by its value, under the
 * call's ray id. Anybody can make up tokens that are unknown: those are noted at
 * debug only, so that they do not flood the log.
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

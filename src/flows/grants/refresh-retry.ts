import { openRetryAnswer, sealRetryAnswer } from '../../crypto/aead.ts'
import { type AccessTokenStatus, isActive } from '../../domain/access-token.ts'
import type { Client } from '../../domain/client.ts'
import type { RefreshTokenStatus, Replay } from '../../domain/grant.ts'
import { later, type RawToken, type TokenId } from '../../domain/ids.ts'
import { beyond, isSameSet } from '../../domain/scopes.ts'
import { effectiveScopeOf, type NarrowedTarget } from '../conditions/grant.ts'
import type { FlowContext } from '../context.ts'
import type { IssuedTokens } from './issue-tokens.ts'

/** The restrictions that a refresh requests for its access token. */
export interface Narrowing extends NarrowedTarget {
  /** Empty: the grant's. */
  readonly requestedScopes: readonly string[]
}

/** The parts of an answer that cannot be read back from the database: the token values, and the request parameters. */
interface KeptAnswer extends Partial<NarrowedTarget> {
  readonly accessTokenId: TokenId
  readonly accessToken: RawToken
  readonly refreshToken: RawToken
  readonly requestedScopes: readonly string[]
}

/** Keeps the answer to a refresh in case the client loses it. `null`: the client has no replay window. */
export function keepAnswer(
  ctx: Pick<FlowContext, 'now'>,
  client: Client,
  spent: { readonly value: RawToken; readonly tokenId: TokenId },
  issued: IssuedTokens,
  { requestedScopes, requestedAudiences }: Narrowing,
): Replay | null {
  const window = client.config.refreshTokenReplayWindow
  if (window === 0 || issued.refresh === null) return null
  const answer: KeptAnswer = {
    accessTokenId: issued.token.tokenId,
    accessToken: issued.value,
    refreshToken: issued.refresh.value,
    requestedScopes,
    requestedAudiences,
  }
  return {
    answer: sealRetryAnswer(spent.value, spent.tokenId, JSON.stringify(answer)),
    until: later(ctx.now, window),
  }
}

/** The outcome of a replayed refresh. */
export type RepeatedAnswer =
  | { readonly kind: 'again'; readonly issued: IssuedTokens }
  /** Inside the window, but the request differs or the answer is no longer valid. */
  | { readonly kind: 'refused' }
  /** The window is over, or the successor was used: another party has the token. */
  | { readonly kind: 'reuse' }

/**
 * Evaluates a spent refresh token that its own client presents again while its family is active. The answer is repeated
 * only while every token in it is valid, that is, neither expired nor revoked.
 */
export async function repeatedAnswer(
  ctx: FlowContext,
  client: Client,
  { token, grant }: RefreshTokenStatus,
  value: RawToken,
  { requestedScopes, requestedAudiences }: Narrowing,
): Promise<RepeatedAnswer> {
  const { replay, successorId } = token
  if (replay === null || successorId === null || ctx.now >= replay.until) return { kind: 'reuse' }
  const kept = JSON.parse(openRetryAnswer(value, token.tokenId, replay.answer)) as KeptAnswer
  const [successor, access] = await Promise.all([
    ctx.stores.refreshTokens.findById(ctx, successorId),
    ctx.stores.accessTokens.findById(ctx, kept.accessTokenId),
  ])
  if (successor === null || successor.token.consumedAt !== null) return { kind: 'reuse' }
  if (access === null || !isActive(access, ctx.now) || ctx.now >= successor.token.expiresAt) return { kind: 'refused' }
  const { scopes, audiences, confirmation } = access.token
  const effective = effectiveScopeOf(grant, client)
  const isSame =
    isSameRequest(requestedScopes, kept.requestedScopes, effective.scopes, scopes) &&
    // An answer without audiences was kept by a server of the previous version, which accepted no requested audiences.
    isSameRequest(requestedAudiences, kept.requestedAudiences ?? [], effective.audiences, audiences)
  // The client lost some audiences since. If they were requested by name, or none is left, the flow reports that.
  const isNarrowed =
    requestedScopes.length === 0 && effective.scopes.length > 0 && beyond(scopes, effective.scopes).length > 0
  const isHeld = confirmation === null || (ctx.caller.kind === 'client' && ctx.caller.certificate === confirmation)
  return isSame && isHeld && !isNarrowed
    ? { kind: 'again', issued: issuedAgain(access, kept, successor) }
    : { kind: 'refused' }
}

/** RFC 6749 §6, RFC 8707 §2.2: a request without values equals a request for all of them by name. */
function isSameRequest(
  requested: readonly string[],
  before: readonly string[],
  all: readonly string[],
  issued: readonly string[],
): boolean {
  if (requested.length === 0 && before.length === 0) return true
  return isSameSet(requested.length === 0 ? all : requested, issued)
}

function issuedAgain(access: AccessTokenStatus, kept: KeptAnswer, successor: RefreshTokenStatus): IssuedTokens {
  return {
    token: access.token,
    value: kept.accessToken,
    refresh: { token: successor.token, value: kept.refreshToken },
    grantExpiresAt: successor.grant.expiresAt,
  }
}

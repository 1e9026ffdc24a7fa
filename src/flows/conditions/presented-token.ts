import type { TokenRefusal } from '../../auth/token-refusal.ts'
import { hashToken, readToken } from '../../crypto/token.ts'
import { type AccessToken, type AccessTokenStatus, INACTIVE_REASONS } from '../../domain/access-token.ts'
import { answersFor, type Client } from '../../domain/client.ts'
import { GRANT_INACTIVE_REASONS, type RefreshTokenStatus, whyGrantInactive } from '../../domain/grant.ts'
import type { FlowContext } from '../context.ts'
import type { Viewer } from './caller.ts'

export interface PresentedToken {
  /** As the caller was handed it; any string. */
  readonly presented: string
}

/** What a presented value turned out to be. */
export type Found =
  | { readonly use: 'access'; readonly status: AccessTokenStatus }
  | { readonly use: 'refresh'; readonly status: RefreshTokenStatus }

/** Looks a presented value up; what cannot be a token of ours costs no query. */
export async function lookUpToken(ctx: FlowContext, presented: string): Promise<Found | null> {
  const read = readToken(presented)
  if (read?.kind === 'refresh') {
    const status = await ctx.stores.refreshTokens.findByHash(ctx, hashToken(read.token))
    return status === null ? null : { use: 'refresh', status }
  }
  const status = await ctx.services.accessTokens.find(ctx, presented, read)
  return status === null ? null : { use: 'access', status }
}

/** A refresh token counts while it is unspent and its grant stands. */
export function isRefreshable(status: RefreshTokenStatus, now: FlowContext['now']): boolean {
  return whyNotRefreshable(status, now) === null
}

/** Why a token that is known may have ended, in the order in which it is judged. */
export const REASONS_TO_END = {
  access: Object.freeze([...INACTIVE_REASONS, 'ancestor_inactive'] as const),
  refresh: Object.freeze(['spent', 'expired', ...GRANT_INACTIVE_REASONS] as const),
} as const satisfies Record<Found['use'], readonly TokenRefusal[]>

function whyNotRefreshable(status: RefreshTokenStatus, now: FlowContext['now']): TokenRefusal | null {
  const { consumedAt, expiresAt } = status.token
  if (consumedAt !== null) return 'spent'
  return now >= expiresAt ? 'expired' : whyGrantInactive(status, now)
}

/** A token that counts, and the keys of what can end it before it expires; none for refresh tokens, which nobody keeps. */
export type ActiveToken = Found & { readonly revocationKeys: readonly Buffer[] }

/** A presented value, and why it does not count for the viewer; `null`: it does. */
export type EvaluatedToken =
  | { readonly found: ActiveToken; readonly refusal: null }
  | { readonly found: Found | null; readonly refusal: TokenRefusal }

/** Looks a presented value up for a viewer. The reason is for the log: no caller hears it (RFC 7662 §2.2). */
export async function evaluateToken(ctx: FlowContext, viewer: Viewer, presented: string): Promise<EvaluatedToken> {
  const found = await lookUpToken(ctx, presented)
  if (found === null) return UNKNOWN
  if (!maySee(viewer, found)) return { found, refusal: 'not_visible' }
  if (found.use === 'refresh') {
    const refusal = whyNotRefreshable(found.status, ctx.now)
    return refusal === null ? { found: { ...found, revocationKeys: [] }, refusal } : { found, refusal }
  }
  const evaluated = ctx.services.accessTokens.evaluate(ctx, found.status)
  const { refusal, ancestors } = evaluated instanceof Promise ? await evaluated : evaluated
  if (refusal !== null) return { found, refusal }
  const revocationKeys = ctx.services.revocationKeys.ofToken(found.status.token, ancestors)
  return { found: { ...found, revocationKeys }, refusal }
}

const UNKNOWN: EvaluatedToken = Object.freeze({ found: null, refusal: 'unknown' } as const)

/** One's own tokens; of others' access tokens, those that are meant for the viewer or for nobody in particular. */
function maySee(viewer: Viewer, { use, status }: Found): boolean {
  if (viewer.kind === 'everyone') return true
  const { client } = viewer
  if (status.token.clientId === client.clientId) return true
  return use === 'access' && isMeantFor(status.token, client)
}

/** Whether a client may take an access token for its own: it is meant for it, or for nobody in particular. */
export function isMeantFor({ audiences }: Pick<AccessToken, 'audiences'>, client: Client): boolean {
  return audiences.length === 0 || audiences.some((audience) => answersFor(client, audience))
}

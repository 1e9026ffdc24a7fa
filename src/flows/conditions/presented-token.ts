import type { TokenRefusal } from '../../auth/token-refusal.ts'
import { hashToken, readToken } from '../../crypto/token.ts'
import type { AccessToken, AccessTokenStatus } from '../../domain/access-token.ts'
import { answersFor, type Client } from '../../domain/client.ts'
import { whyGrantInactive } from '../../domain/grant.ts'
import type { RefreshTokenStatus } from '../../domain/refresh-token.ts'
import type { FlowContext } from '../context.ts'
import type { Viewer } from './caller.ts'

export interface PresentedToken {
  /** As the caller was handed it; any string. */
  readonly presented: string
}

/** What a presented value turned out to be. */
export type Found =
  | { readonly use: 'access'; readonly standing: AccessTokenStatus }
  | { readonly use: 'refresh'; readonly standing: RefreshTokenStatus }

/** Looks a presented value up; what cannot be a token of ours costs no query. */
export async function lookUpToken(ctx: FlowContext, presented: string): Promise<Found | null> {
  const read = readToken(presented)
  if (read?.kind === 'refresh') {
    const standing = await ctx.stores.refreshTokens.findByHash(ctx, hashToken(read.token))
    return standing === null ? null : { use: 'refresh', standing }
  }
  const standing = await ctx.services.accessTokens.find(ctx, presented, read)
  return standing === null ? null : { use: 'access', standing }
}

/** A refresh token counts while it is unspent and its grant stands. */
export function isRefreshable(standing: RefreshTokenStatus, now: FlowContext['now']): boolean {
  return whyNotRefreshable(standing, now) === null
}

function whyNotRefreshable(standing: RefreshTokenStatus, now: FlowContext['now']): TokenRefusal | null {
  const { consumedAt, expiresAt } = standing.token
  if (consumedAt !== null) return 'spent'
  return now >= expiresAt ? 'expired' : whyGrantInactive(standing, now)
}

/** A presented value, and why it does not count for the viewer; `null`: it does. */
export type EvaluatedToken =
  | { readonly found: Found; readonly refusal: null }
  | { readonly found: Found | null; readonly refusal: TokenRefusal }

/** Looks a presented value up for a viewer. The reason is for the log: no caller hears it (RFC 7662 §2.2). */
export async function evaluateToken(ctx: FlowContext, viewer: Viewer, presented: string): Promise<EvaluatedToken> {
  const found = await lookUpToken(ctx, presented)
  if (found === null) return UNKNOWN
  if (!maySee(viewer, found)) return { found, refusal: 'not_visible' }
  const refusal =
    found.use === 'access'
      ? await ctx.services.accessTokens.whyNotAccepted(ctx, found.standing)
      : whyNotRefreshable(found.standing, ctx.now)
  return { found, refusal }
}

const UNKNOWN: EvaluatedToken = Object.freeze({ found: null, refusal: 'unknown' } as const)

/** One's own tokens; of others' access tokens, those that are meant for the viewer or for nobody in particular. */
function maySee(viewer: Viewer, { use, standing }: Found): boolean {
  if (viewer.kind === 'everyone') return true
  const { client } = viewer
  if (standing.token.clientId === client.clientId) return true
  return use === 'access' && isMeantFor(standing.token, client)
}

/** Whether a client may take an access token for its own: it is meant for it, or for nobody in particular. */
export function isMeantFor({ audiences }: Pick<AccessToken, 'audiences'>, client: Client): boolean {
  return audiences.length === 0 || audiences.some((audience) => answersFor(client, audience))
}

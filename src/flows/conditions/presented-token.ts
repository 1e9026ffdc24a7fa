import { hashToken, readToken } from '../../crypto/token.ts'
import { type AccessToken, type AccessTokenStanding, isActive } from '../../domain/access-token.ts'
import { answersFor, type Client } from '../../domain/client.ts'
import { isGrantActive } from '../../domain/grant.ts'
import type { RefreshTokenStanding } from '../../domain/refresh-token.ts'
import type { FlowContext } from '../context.ts'
import type { Viewer } from './caller.ts'
import { readPresentedJwt } from './presented-jwt.ts'

export interface PresentedToken {
  /** As the caller was handed it; any string. */
  readonly presented: string
}

/** What a presented value turned out to be. */
export type Found =
  | { readonly use: 'access'; readonly standing: AccessTokenStanding }
  | { readonly use: 'refresh'; readonly standing: RefreshTokenStanding }

/** Looks a presented value up; what cannot be a token of ours costs no query. */
export async function lookUpToken(ctx: FlowContext, presented: string): Promise<Found | null> {
  const read = readToken(presented)
  if (read?.kind === 'refresh') {
    const standing = await ctx.stores.refreshTokens.findByHash(ctx, hashToken(read.token))
    return standing === null ? null : { use: 'refresh', standing }
  }
  const standing = await findAccessToken(ctx, presented, read)
  return standing === null ? null : { use: 'access', standing }
}

/** The same for an access token, opaque or a JWT, whichever its client gets now. */
export function lookUpAccessToken(ctx: FlowContext, presented: string): Promise<AccessTokenStanding | null> {
  return findAccessToken(ctx, presented, readToken(presented))
}

async function findAccessToken(
  ctx: FlowContext,
  presented: string,
  read: ReturnType<typeof readToken>,
): Promise<AccessTokenStanding | null> {
  if (read !== null && read.kind !== 'access') return null
  const token = read === null ? await readPresentedJwt(ctx, presented) : read.token
  return token === null ? null : await ctx.stores.accessTokens.findByHash(ctx, hashToken(token))
}

/** An access token counts while it and every token it was exchanged from are active (RFC 8693 §1.2, delegation). */
export async function isAccepted(ctx: FlowContext, standing: AccessTokenStanding): Promise<boolean> {
  if (!isActive(standing, ctx.now)) return false
  const { ancestors } = standing.token
  if (ancestors.length === 0) return true
  const found = await Promise.all(ancestors.map((tokenId) => ctx.stores.accessTokens.findById(ctx, tokenId)))
  return found.every((ancestor) => ancestor !== null && isActive(ancestor, ctx.now))
}

/** A refresh token counts while it is unspent and its grant stands. */
export function isRefreshable(standing: RefreshTokenStanding, now: FlowContext['now']): boolean {
  const { consumedAt, expiresAt } = standing.token
  return consumedAt === null && now < expiresAt && isGrantActive(standing, now)
}

/**
 * The token if it is active and the viewer's to see; otherwise `null`, without a
 * reason (RFC 7662 §2.2).
 */
export async function lookUpVisible(ctx: FlowContext, viewer: Viewer, presented: string): Promise<Found | null> {
  const found = await lookUpToken(ctx, presented)
  if (found === null || !maySee(viewer, found)) return null
  const active = found.use === 'access' ? await isAccepted(ctx, found.standing) : isRefreshable(found.standing, ctx.now)
  return active ? found : null
}

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

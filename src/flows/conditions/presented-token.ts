import type { TokenRefusal } from '../../auth/token-refusal.ts'
import { hashToken, readToken } from '../../crypto/token.ts'
import { type AccessToken, type AccessTokenStatus, INACTIVE_REASONS } from '../../domain/access-token.ts'
import { answersFor, type Client } from '../../domain/client.ts'
import { GRANT_INACTIVE_REASONS, type RefreshTokenStatus, whyGrantInactive } from '../../domain/grant.ts'
import type { FlowContext } from '../context.ts'
import type { Viewer } from './caller.ts'

export interface PresentedToken {
  /** As the caller received it; any string. */
  readonly presented: string
}

/** The token that a presented value identifies. */
export type Found =
  | { readonly use: 'access'; readonly status: AccessTokenStatus }
  | { readonly use: 'refresh'; readonly status: RefreshTokenStatus }

/** Looks up a presented value. A value that cannot be one of our tokens costs no query. */
export async function lookUpToken(ctx: FlowContext, presented: string): Promise<Found | null> {
  const read = readToken(presented)
  if (read?.kind === 'refresh') {
    const status = await ctx.stores.refreshTokens.findByHash(ctx, hashToken(read.token))
    return status === null ? null : { use: 'refresh', status }
  }
  const status = await ctx.services.accessTokens.find(ctx, presented, read)
  return status === null ? null : { use: 'access', status }
}

/** A refresh token is valid while it is unspent and its grant is active. */
export function isRefreshable(status: RefreshTokenStatus, now: FlowContext['now']): boolean {
  return whyNotRefreshable(status, now) === null
}

/** The reasons why a known token may be invalid, in the order of evaluation. */
export const REASONS_TO_END = {
  access: Object.freeze([...INACTIVE_REASONS, 'ancestor_inactive'] as const),
  refresh: Object.freeze(['spent', 'expired', ...GRANT_INACTIVE_REASONS] as const),
} as const satisfies Record<Found['use'], readonly TokenRefusal[]>

function whyNotRefreshable(status: RefreshTokenStatus, now: FlowContext['now']): TokenRefusal | null {
  const { consumedAt, expiresAt } = status.token
  if (consumedAt !== null) return 'spent'
  return now >= expiresAt ? 'expired' : whyGrantInactive(status, now)
}

/**
 * A valid token, and the keys of everything that can revoke it before it expires. Refresh tokens have no such keys,
 * because no verifier caches them.
 */
export type ActiveToken = Found & { readonly revocationKeys: readonly Buffer[] }

/** A presented value, and the reason why it is invalid for the viewer. `null`: it is valid. */
export type EvaluatedToken =
  | { readonly found: ActiveToken; readonly refusal: null }
  | { readonly found: Found | null; readonly refusal: TokenRefusal }

/** Looks up a presented value for a viewer. The reason is for the log and is not sent to callers (RFC 7662 §2.2). */
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

/**
 * A viewer may see its own tokens. Of others' access tokens it may see those with itself as audience, or with no
 * audience.
 */
function maySee(viewer: Viewer, { use, status }: Found): boolean {
  if (viewer.kind === 'everyone') return true
  const { client } = viewer
  if (status.token.clientId === client.clientId) return true
  return use === 'access' && isMeantFor(status.token, client)
}

/** Whether a client may accept an access token: the client is its audience, or it has no audience. */
export function isMeantFor({ audiences }: Pick<AccessToken, 'audiences'>, client: Client): boolean {
  return audiences.length === 0 || audiences.some((audience) => answersFor(client, audience))
}

import { hashToken, readToken } from '../../crypto/token.ts'
import { type AccessToken, type AccessTokenStanding, isActive } from '../../domain/access-token.ts'
import { answersFor } from '../../domain/client.ts'
import { success } from '../../results.ts'
import { condition } from '../condition.ts'
import type { FlowContext } from '../context.ts'
import type { Viewer } from './caller.ts'

export interface PresentedToken {
  /** As the caller was handed it; any string. */
  readonly presented: string
}

/** Looks a presented value up; what cannot be a token of ours costs no query. */
export async function lookUpAccessToken(ctx: FlowContext, presented: string): Promise<AccessTokenStanding | null> {
  const read = readToken(presented)
  return read?.kind === 'access' ? await ctx.stores.accessTokens.findByHash(ctx, hashToken(read.token)) : null
}

/** Adds what is known of the presented token, whoever it belongs to. */
export const presentedTokenIsLookedUp = condition<PresentedToken, { readonly standing: AccessTokenStanding | null }>(
  'presentedTokenIsLookedUp',
  async (ctx, { presented }) => success({ standing: await lookUpAccessToken(ctx, presented) }),
)

/**
 * The token if it is active and the viewer's to see: issued to it, meant for it,
 * or meant for nobody in particular. Otherwise `null`, without a reason
 * (RFC 7662 §2.2).
 */
export function visibleToken(
  ctx: FlowContext,
  viewer: Viewer,
  standing: AccessTokenStanding | null,
): AccessToken | null {
  return standing !== null && isActive(standing, ctx.now) && maySee(viewer, standing.token) ? standing.token : null
}

function maySee(viewer: Viewer, token: AccessToken): boolean {
  if (viewer.kind === 'everyone') return true
  const { client } = viewer
  return (
    token.clientId === client.clientId ||
    token.audiences.length === 0 ||
    token.audiences.some((audience) => answersFor(client, audience))
  )
}

import { type TokenId, tokenId } from '../../domain/ids.ts'
import type { AccessTokenFilter } from '../../stores/contract/access-tokens.ts'
import { type Found, isRefreshable } from '../conditions/presented-token.ts'
import type { FlowContext } from '../context.ts'
import { pagedList } from '../paged-list.ts'

/** The filter of `ListTokens`. */
export interface TokenListFilter extends Pick<AccessTokenFilter, 'clientId' | 'userId'> {
  /** Only those that would be accepted now. */
  readonly activeOnly: boolean
}

/** A token by its handle, and whether it would be accepted now. */
export type ListedToken = Found & { readonly active: boolean }

/** Issued access and refresh tokens by their handles, newest first. */
export const listTokens = pagedList({
  name: 'listTokens',
  list: 'tokens',
  read: async (ctx, { clientId, userId, activeOnly }: TokenListFilter, { after, limit }) => {
    const filter = { clientId, userId, activeAt: activeOnly ? ctx.now : null }
    const page = { after: after === null ? null : tokenId(after), limit }
    const [access, refresh] = await Promise.all([
      ctx.stores.accessTokens.page(ctx, filter, page),
      ctx.stores.refreshTokens.page(ctx, filter, page),
    ])
    const found: Found[] = [
      ...access.map((status) => ({ use: 'access' as const, status })),
      ...refresh.map((status) => ({ use: 'refresh' as const, status })),
    ]
    const newest = found.sort((a, b) => (handleOf(a) < handleOf(b) ? 1 : -1)).slice(0, limit)
    return await Promise.all(newest.map(async (each) => ({ ...each, active: await isFoundActive(ctx, each) })))
  },
  keyOf: handleOf,
  // The stores do not evaluate the ancestors of exchanged tokens.
  keep: ({ active }, { activeOnly }) => active || !activeOnly,
})

function handleOf({ status }: Found): TokenId {
  return status.token.tokenId
}

async function isFoundActive(ctx: FlowContext, found: Found): Promise<boolean> {
  return found.use === 'access'
    ? await ctx.services.accessTokens.isAccepted(ctx, found.status)
    : isRefreshable(found.status, ctx.now)
}

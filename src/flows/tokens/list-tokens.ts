import { tokenId } from '../../domain/ids.ts'
import type { AccessTokenFilter } from '../../stores/contract.ts'
import { definePagedList } from '../paged-list.ts'

/** What `ListTokens` filters by. */
export interface TokenListFilter extends Pick<AccessTokenFilter, 'clientId' | 'userId'> {
  /** Only those that would be accepted now. */
  readonly activeOnly: boolean
}

/** Issued tokens by their handles, newest first. */
export const listTokens = definePagedList({
  name: 'tokens',
  read: (ctx, { clientId, userId, activeOnly }: TokenListFilter, { after, limit }) =>
    ctx.stores.accessTokens.page(
      ctx,
      { clientId, userId, activeAt: activeOnly ? ctx.now : null },
      { after: after === null ? null : tokenId(after), limit },
    ),
  keyOf: ({ token }) => token.tokenId,
})

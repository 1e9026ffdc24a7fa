import { type GrantStatus, isGrantActive } from '../../domain/grant.ts'
import { grantId } from '../../domain/ids.ts'
import type { GrantFilter } from '../../stores/contract/grants.ts'
import { pagedList } from '../paged-list.ts'

/** The filter of `ListGrants`. */
export interface GrantListFilter extends Pick<GrantFilter, 'clientId' | 'userId'> {
  /** Only grants whose tokens can be valid now. */
  readonly activeOnly: boolean
}

/** A grant, and whether its tokens can be valid now. */
export type ListedGrant = GrantStatus & { readonly active: boolean }

/** The consents of users, newest first. */
export const listGrants = pagedList({
  name: 'listGrants',
  list: 'grants',
  read: async (ctx, { clientId, userId, activeOnly }: GrantListFilter, { after, limit }) => {
    const filter = { clientId, userId, activeAt: activeOnly ? ctx.now : null }
    const page = { after: after === null ? null : grantId(after), limit }
    const found = await ctx.stores.grants.page(ctx, filter, page)
    return found.map((status): ListedGrant => ({ ...status, active: isGrantActive(status, ctx.now) }))
  },
  keyOf: ({ grant }) => grant.grantId,
})

import { type GrantStatus, isGrantActive } from '../../domain/grant.ts'
import { grantId } from '../../domain/ids.ts'
import type { GrantFilter } from '../../stores/contract/grants.ts'
import { pagedList } from '../paged-list.ts'

/** What `ListGrants` filters by. */
export interface GrantListFilter extends Pick<GrantFilter, 'clientId' | 'userId'> {
  /** Only those on which what is issued can count now. */
  readonly activeOnly: boolean
}

/** A grant, and whether what is issued on it can count now. */
export type ListedGrant = GrantStatus & { readonly active: boolean }

/** What users have consented to, newest first. */
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

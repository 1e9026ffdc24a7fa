import { userId } from '../../domain/ids.ts'
import type { UserFilter } from '../../stores/contract/users.ts'
import { definePagedList } from '../paged-list.ts'

/** Users, the last registered first. */
export const listUsers = definePagedList({
  name: 'users',
  read: (ctx, filter: UserFilter, { after, limit }) =>
    ctx.stores.users.page(ctx, filter, { after: after === null ? null : userId(after), limit }),
  keyOf: (user) => user.userId,
})

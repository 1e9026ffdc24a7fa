import { clientId, epochMs } from '../../domain/ids.ts'
import type { ClientUsage } from '../../domain/usage.ts'
import type { UsageFilter } from '../../stores/contract/usage.ts'
import { pagedList } from '../paged-list.ts'

/** The usage of a client on one day, and the scopes that it did not use. */
export type ListedUsage = ClientUsage & { readonly neverUsed: readonly string[] }

/** The scopes that clients requested and were granted, latest day first. */
export const listUsage = pagedList({
  name: 'listUsage',
  list: 'usage',
  read: async (ctx, filter: UsageFilter, { after, limit }): Promise<readonly ListedUsage[]> => {
    const [day, client] = after?.split(' ') ?? []
    const place =
      day === undefined || client === undefined ? null : { day: epochMs(Number(day)), clientId: clientId(client) }
    const usages = await ctx.stores.usage.page(ctx, filter, place, limit)
    const registered = await Promise.all(usages.map((usage) => ctx.stores.clients.find(ctx, usage.clientId)))
    return usages.map((usage, index) => {
      const granted = new Set(usage.scopes.flatMap(({ scope, granted: count }) => (count > 0 ? [scope] : [])))
      return { ...usage, neverUsed: registered[index]?.scopes.filter((scope) => !granted.has(scope)) ?? [] }
    })
  },
  keyOf: ({ day, clientId: client }) => `${day} ${client}`,
})

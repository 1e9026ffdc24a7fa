import { clientId } from '../../domain/ids.ts'
import type { ClientFilter } from '../../stores/contract/clients.ts'
import { definePagedList } from '../paged-list.ts'

/** Registered clients in the order of their ids. */
export const listClients = definePagedList({
  name: 'clients',
  read: (ctx, filter: ClientFilter, { after, limit }) =>
    ctx.stores.clients.page(ctx, filter, { after: after === null ? null : clientId(after), limit }),
  keyOf: (client) => client.clientId,
})

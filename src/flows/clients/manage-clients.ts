import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import { type ClientId, clientId } from '../../domain/ids.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { ClientFilter } from '../../stores/contract/clients.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { clientExists, etagIsCurrent } from '../conditions/client.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow, query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'

/** One registered client. */
export const getClient = query({
  name: 'getClient',
  preconditions: given<{ readonly clientId: ClientId }>().and(clientExists),
  answer: (_ctx, { client }): Client => client,
})

/** Registered clients in the order of their ids. */
export const listClients = pagedList({
  name: 'listClients',
  list: 'clients',
  read: (ctx, filter: ClientFilter, { after, limit }) =>
    ctx.stores.clients.page(ctx, filter, { after: after === null ? null : clientId(after), limit }),
  keyOf: (client) => client.clientId,
})

/** `etag`: the etag of the client as it was read; `null`: any version. */
type ClientNamed = { readonly clientId: ClientId; readonly etag: string | null }

const switchIsStored = postcondition<{ readonly client: Client; readonly issued: Client }, TransactionStores>(
  'switchIsStored',
  async (ctx, { client, issued }) => {
    const change = { at: issued.updatedAt, by: issued.updatedBy }
    const { clientId, version } = client
    if (!(await ctx.stores.clients.setEnabled(clientId, issued.enabled, version, change))) return LOST_RACE
    await ctx.stores.auditLog.append(
      auditEvent(ctx, issued.enabled ? 'client.enabled' : 'client.disabled', { clientId }),
    )
    return HOLDS
  },
)

function switched(enabled: boolean) {
  return (ctx: FlowContext, { client }: { readonly client: Client }): Client =>
    client.enabled === enabled
      ? client
      : { ...client, enabled, version: client.version + 1, updatedAt: ctx.now, updatedBy: actorOf(ctx) }
}

/** Enables a client. Its unexpired tokens become valid again, so its permissions are at stake. */
export const enableClient = defineFlow({
  name: 'enableClient',
  lane: 'transaction',
  preconditions: given<ClientNamed>().and(clientExists).and(etagIsCurrent).and(callerHoldsPermissionsAtStake),
  run: switched(true),
  skipWrite: (_ctx, { client }) => client.enabled,
  postconditions: [switchIsStored],
})

/** Disables a client from the next call on. This only removes access, so `clients.write` suffices. */
export const disableClient = defineFlow({
  name: 'disableClient',
  lane: 'transaction',
  preconditions: given<ClientNamed>().and(clientExists).and(etagIsCurrent),
  run: switched(false),
  skipWrite: (_ctx, { client }) => !client.enabled,
  postconditions: [switchIsStored],
})

const clientIsDeleted = postcondition<{ readonly client: Client }, TransactionStores>(
  'clientIsDeleted',
  async (ctx, { client: { clientId, version } }) => {
    if (!(await ctx.stores.clients.delete(clientId, version, { at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'client.deleted', { clientId }))
    return HOLDS
  },
)

/** Deletes a client. Its tokens are inactive from the next call on, and its id stays reserved. */
export const deleteClient = defineFlow({
  name: 'deleteClient',
  lane: 'transaction',
  preconditions: given<ClientNamed>().and(clientExists).and(etagIsCurrent).and(callerHoldsPermissionsAtStake),
  run: () => null,
  postconditions: [clientIsDeleted],
})

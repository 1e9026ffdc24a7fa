import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { clientExists } from '../conditions/client.ts'
import { defineFlow } from '../flow.ts'

const clientIsDeleted = postcondition<{ readonly client: Client }, TransactionStores>(
  'clientIsDeleted',
  async (ctx, { client: { clientId, version } }) => {
    if (!(await ctx.stores.clients.delete(clientId, version, { at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
    await ctx.stores.auditLog.append(auditEvent(ctx, 'client.deleted', { clientId }))
    return HOLDS
  },
)

/** Removes a client for good; its tokens are inactive from the next call on, and its id stays reserved. */
export const deleteClient = defineFlow({
  name: 'deleteClient',
  lane: 'transaction',
  preconditions: given<{ readonly clientId: ClientId }>().and(clientExists).and(callerHoldsPermissionsAtStake),
  run: () => null,
  postconditions: [clientIsDeleted],
})

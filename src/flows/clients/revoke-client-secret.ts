import { auditEvent } from '../../audit-event.ts'
import type { ClientId, SecretId } from '../../domain/ids.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { clientExists } from '../conditions/client.ts'
import { defineFlow } from '../flow.ts'

interface SecretNamed {
  readonly clientId: ClientId
  readonly secretId: SecretId
}

const secretExists = condition<SecretNamed>('secretExists', async (ctx, { clientId, secretId }) => {
  const secrets = await ctx.stores.clientSecrets.ofClient(ctx, clientId)
  return secrets.some((secret) => secret.secretId === secretId)
    ? HOLDS
    : fail('resource.not_found', { resource: { type: 'client_secret', name: secretId } })
})

const secretIsDeleted = postcondition<SecretNamed, TransactionStores>(
  'secretIsDeleted',
  async (ctx, { clientId, secretId }) => {
    if (!(await ctx.stores.clientSecrets.delete(clientId, secretId))) return LOST_RACE
    const metadata = { secret_id: secretId }
    await ctx.stores.auditLog.append(auditEvent(ctx, 'client.secret_revoked', { clientId, metadata }))
    return HOLDS
  },
)

/** Ends one secret at once. */
export const revokeClientSecret = defineFlow({
  name: 'revokeClientSecret',
  lane: 'transaction',
  preconditions: given<SecretNamed>().and(clientExists).and(callerHoldsPermissionsAtStake).and(secretExists),
  run: () => null,
  postconditions: [secretIsDeleted],
})

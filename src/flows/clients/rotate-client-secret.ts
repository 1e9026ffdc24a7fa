import { auditEvent } from '../../audit-event.ts'
import type { Client } from '../../domain/client.ts'
import { type ClientSecret, isSecretValid } from '../../domain/client-secret.ts'
import { type ClientId, later, type Milliseconds } from '../../domain/ids.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { clientExists } from '../conditions/client.ts'
import type { FlowContext } from '../context.ts'
import { defineFlow } from '../flow.ts'
import { drawClientSecret } from './client-secret.ts'

/** Each valid secret costs every authentication a comparison. */
const MAX_VALID_SECRETS = 10

interface RotateClientSecretRequest {
  readonly clientId: ClientId
  /** How long older secrets stay valid. */
  readonly overlap: Milliseconds
}

type Rotation = RotateClientSecretRequest & { readonly client: Client }

const clientUsesSecrets = condition<{ readonly client: Client }>('clientUsesSecrets', (_ctx, { client }) => {
  if (client.authenticationMethod === 'client_secret') return HOLDS
  const description = 'the client does not authenticate with a secret'
  return fail('registration.invalid_client_metadata', { violations: [{ field: 'client_id', description }] })
})

function exceedsCap(ctx: FlowContext<unknown>, secrets: readonly ClientSecret[], overlap: Milliseconds): boolean {
  return overlap > 0 && secrets.filter((secret) => isSecretValid(secret, ctx.now)).length >= MAX_VALID_SECRETS
}

const validSecretsAreFew = condition<Rotation>('validSecretsAreFew', async (ctx, { clientId, overlap }) => {
  const secrets = await ctx.stores.clientSecrets.ofClient(ctx, clientId)
  if (!exceedsCap(ctx, secrets, overlap)) return HOLDS
  const firstEnd = Math.min(
    ...secrets.flatMap(({ expiresAt }) => (expiresAt !== null && expiresAt > ctx.now ? [expiresAt] : [])),
  )
  return fail('limit.exceeded', {
    quota: { subject: `client:${clientId}`, description: `at most ${MAX_VALID_SECRETS} secrets are valid at once` },
    retryAfterMs: firstEnd - ctx.now,
  })
})

/** Two rotations of one client come one after the other, so that the cap and the overlap hold. */
const rotationIsStored = postcondition<
  Rotation & { readonly issued: { readonly stored: ClientSecret } },
  TransactionStores
>('rotationIsStored', async (ctx, { clientId, overlap, issued: { stored } }) => {
  if (!(await ctx.stores.clients.lock(clientId))) return LOST_RACE
  if (exceedsCap(ctx, await ctx.stores.clientSecrets.ofClient(ctx, clientId), overlap)) return LOST_RACE
  await ctx.stores.clientSecrets.expireAll(clientId, later(ctx.now, overlap))
  await ctx.stores.clientSecrets.insert(stored)
  const metadata = { secret_id: stored.secretId, overlap_seconds: String(overlap / 1_000) }
  await ctx.stores.auditLog.append(auditEvent(ctx, 'client.secret_rotated', { clientId, metadata }))
  return HOLDS
})

/** Draws a new secret; the older ones end after the overlap. */
export const rotateClientSecret = defineFlow({
  name: 'rotateClientSecret',
  lane: 'transaction',
  preconditions: given<RotateClientSecretRequest>()
    .and(clientExists)
    .and(callerHoldsPermissionsAtStake)
    .and(clientUsesSecrets)
    .and(validSecretsAreFew),
  run: (ctx, { clientId }) => drawClientSecret(ctx, clientId),
  postconditions: [rotationIsStored],
})

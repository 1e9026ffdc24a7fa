import { auditEvent } from '../../audit-event.ts'
import { type Client, type ClientSecret, isSecretValid } from '../../domain/client.ts'
import { type EpochMs, later, type Milliseconds, milliseconds, type SecretId } from '../../domain/ids.ts'
import { isReservedScope } from '../../domain/scopes.ts'
import { fail, HOLDS, type Result, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { defineFlow } from '../flow.ts'
import { deleteSecrets, drawClientSecret, MAX_VALID_SECRETS } from './client-secrets.ts'

const DAY = milliseconds(86_400_000)
/**
 * Secrets that a client created are deleted this long after their expiry, because each authentication reads all
 * secrets.
 */
const KEPT_AFTER_END = milliseconds(30 * DAY)

interface RotateOwnSecretRequest {
  /** `null`: the new secret does not expire. */
  readonly lifetime: Milliseconds | null
}

/** The client that rotates, and the secret that authenticated it. */
interface Maker {
  readonly client: Client
  readonly madeBy: SecretId
}

function mayRotateOwn({ enabled, authenticationMethod, config, scopes }: Client): boolean {
  const hasPermissions = scopes.some(isReservedScope)
  return enabled && authenticationMethod === 'client_secret' && config.allowOwnRotation && !hasPermissions
}

/** The client may rotate according to its current registration, not the one at the time of authentication. */
const ownRotationIsAllowed = condition<object, Maker>('ownRotationIsAllowed', async (ctx) => {
  const { caller } = ctx
  if (caller.kind !== 'client') return fail('oauth.invalid_client', { because: 'missing' })
  const client = await ctx.stores.clients.find(ctx, caller.client.clientId)
  if (client === null || !mayRotateOwn(client) || caller.secretId === null) {
    return fail('oauth.unauthorized_client', { because: 'own_rotation' })
  }
  return success({ client, madeBy: caller.secretId })
})

/** The reason why a client may not create a secret with another one. `secrets`: newest first. */
function evaluateRotation(secrets: readonly ClientSecret[], { client, madeBy }: Maker, now: EpochMs): Result<object> {
  const valid = secrets.filter((secret) => isSecretValid(secret, now))
  if (!valid.some(({ secretId }) => secretId === madeBy)) return fail('oauth.invalid_client')
  const newest = secrets.find((secret) => secret.madeBy === null)
  if (newest === undefined || originOf(secrets, madeBy) !== newest.secretId) {
    return fail('oauth.unauthorized_client', { because: 'superseded' })
  }
  const subject = `client:${client.clientId}`
  const lastOwn = secrets.find((secret) => secret.madeBy !== null)
  if (lastOwn !== undefined && now < later(lastOwn.createdAt, DAY)) {
    const description = 'a client may rotate its own secret once in 24 hours'
    return fail('limit.exceeded', {
      quota: { subject, description },
      retryAfterMs: later(lastOwn.createdAt, DAY) - now,
    })
  }
  const most = MAX_VALID_SECRETS - 1
  if (valid.length >= most) {
    const description = `a client that rotates its own secret may have at most ${most} valid secrets; one more is reserved for an administrator`
    const firstEnd = Math.min(...valid.flatMap(({ expiresAt }) => expiresAt ?? later(now, DAY)))
    return fail('limit.exceeded', { quota: { subject, description }, retryAfterMs: firstEnd - now })
  }
  return HOLDS
}

/** The administrator's secret from which a secret descends. */
function originOf(secrets: readonly ClientSecret[], from: SecretId): SecretId | null {
  let id: SecretId | null = from
  for (const _each of secrets) {
    const secret = secrets.find(({ secretId }) => secretId === id)
    if (secret === undefined) return null
    if (secret.madeBy === null) return secret.secretId
    id = secret.madeBy
  }
  return null
}

const rotationIsDue = condition<Maker>('rotationIsDue', async (ctx, maker) =>
  evaluateRotation(await ctx.stores.clientSecrets.ofClient(ctx, maker.client.clientId), maker, ctx.now),
)

/**
 * Of two concurrent rotations, the second finds that one was made today. A rotation concurrent with a revocation or a
 * changed registration also fails.
 */
const ownRotationIsStored = postcondition<
  Maker & { readonly issued: { readonly stored: ClientSecret } },
  TransactionStores
>('ownRotationIsStored', async (ctx, { client: { clientId }, madeBy, issued: { stored } }) => {
  const { clients, clientSecrets, auditLog } = ctx.stores
  if (!(await clients.lock(clientId))) return LOST_RACE
  const client = await clients.find(ctx, clientId)
  if (client === null || !mayRotateOwn(client)) return LOST_RACE
  const secrets = await clientSecrets.ofClient(ctx, clientId)
  if (!evaluateRotation(secrets, { client, madeBy }, ctx.now).ok) return LOST_RACE
  if (!(await deleteSecrets(ctx, await clientSecrets.orphansOf(ctx, clientId)))) return LOST_RACE
  await clientSecrets.insert(stored)
  for (const { secretId, madeBy: maker, expiresAt } of secrets) {
    // Newest first, so that a secret's descendants pass to its creator before that one is deleted.
    if (maker === null || expiresAt === null || later(expiresAt, KEPT_AFTER_END) > ctx.now) continue
    await clientSecrets.adopt(clientId, secretId, maker)
    await clientSecrets.delete(clientId, secretId)
  }
  const metadata = { secret_id: stored.secretId, made_by: madeBy }
  await auditLog.append(auditEvent(ctx, 'client.secret_rotated', { clientId, metadata }))
  return HOLDS
})

/** A client creates a new secret for itself. Its other secrets stay unchanged. */
export const rotateOwnSecret = defineFlow({
  name: 'rotateOwnSecret',
  lane: 'transaction',
  preconditions: given<RotateOwnSecretRequest>().and(ownRotationIsAllowed).and(rotationIsDue),
  run: (ctx, { client, madeBy, lifetime }) => {
    const { value, stored } = drawClientSecret(ctx, client.clientId)
    const expiresAt = lifetime === null ? null : later(ctx.now, lifetime)
    return { value, stored: Object.freeze({ ...stored, madeBy, expiresAt }) }
  },
  postconditions: [ownRotationIsStored],
})

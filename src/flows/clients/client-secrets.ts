import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { drawUnmatchedHash } from '../../crypto/imported-hash.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawToken } from '../../crypto/token.ts'
import { type Client, type ClientSecret, isSecretValid, secretEnd, withDescendants } from '../../domain/client.ts'
import { type ClientId, later, type Milliseconds, type RawToken, type SecretId, secretId } from '../../domain/ids.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { callerHoldsPermissionsAtStake } from '../conditions/caller.ts'
import { clientExists, etagIsCurrent } from '../conditions/client.ts'
import type { FlowContext, LaneContext } from '../context.ts'
import { defineFlow, query } from '../flow.ts'

/** The parts of a context that storing a secret needs. */
type SecretContext = Pick<FlowContext, 'caller' | 'peer' | 'now'> & {
  readonly services: Pick<FlowContext['services'], 'keyring'>
}

/** Generates a client secret: the value, available only now, and the stored form. */
export function drawClientSecret(
  ctx: SecretContext,
  clientId: ClientId,
): { readonly value: RawToken; readonly stored: ClientSecret } {
  const value = drawToken('client_secret')
  const { keyring } = ctx.services
  return { value, stored: storedSecret(ctx, clientId, { hash: keyring.hashSecret(value), importedHash: null }) }
}

/** The stored form of a secret that another server hashed. Its own hash matches nothing until it is replaced. */
export function importedSecret(ctx: SecretContext, clientId: ClientId, importedHash: string): ClientSecret {
  return storedSecret(ctx, clientId, { hash: drawUnmatchedHash(), importedHash })
}

function storedSecret(
  ctx: SecretContext,
  clientId: ClientId,
  hashes: Pick<ClientSecret, 'hash' | 'importedHash'>,
): ClientSecret {
  return Object.freeze({
    secretId: secretId(uuidV7()),
    clientId,
    keyId: ctx.services.keyring.active('pepper'),
    ...hashes,
    createdAt: ctx.now,
    createdBy: actorOf(ctx),
    expiresAt: null,
    lastUsedAt: null,
    madeBy: null,
  })
}

/** The metadata of a client's secrets, newest first. It never contains their values. */
export const listClientSecrets = query({
  name: 'listClientSecrets',
  preconditions: given<{ readonly clientId: ClientId }>().and(clientExists),
  answer: (ctx, { clientId }): Promise<readonly ClientSecret[]> => ctx.stores.clientSecrets.ofClient(ctx, clientId),
})

/** Each authentication compares with every valid secret. */
export const MAX_VALID_SECRETS = 10

/** Deletes secrets of a locked client. `false`: one of them no longer exists. */
export async function deleteSecrets(
  ctx: LaneContext<TransactionStores>,
  secrets: readonly ClientSecret[],
): Promise<boolean> {
  for (const { clientId, secretId: id, madeBy } of secrets) {
    if (!(await ctx.stores.clientSecrets.delete(clientId, id))) return false
    const metadata = { secret_id: id, ...(madeBy !== null && { made_by: madeBy }) }
    await ctx.stores.auditLog.append(auditEvent(ctx, 'client.secret_revoked', { clientId, metadata }))
  }
  return true
}

interface RotateClientSecretRequest {
  readonly clientId: ClientId
  /** How long older secrets stay valid. */
  readonly overlap: Milliseconds
  /** The etag of the client as it was read. `null`: any version. */
  readonly etag: string | null
}

type Rotation = RotateClientSecretRequest & { readonly client: Client }

const clientUsesSecrets = condition<{ readonly client: Client }>('clientUsesSecrets', (_ctx, { client }) => {
  if (client.authenticationMethod === 'client_secret') return HOLDS
  const description = 'the client does not authenticate with a secret'
  return fail('registration.invalid_client_metadata', { violations: [{ field: 'client_id', description }] })
})

function exceedsCap(ctx: Pick<FlowContext, 'now'>, secrets: readonly ClientSecret[], overlap: Milliseconds): boolean {
  return overlap > 0 && secrets.filter((secret) => isSecretValid(secret, ctx.now)).length >= MAX_VALID_SECRETS
}

const validSecretsAreFew = condition<Rotation>('validSecretsAreFew', async (ctx, { clientId, overlap }) => {
  const secrets = await ctx.stores.clientSecrets.ofClient(ctx, clientId)
  if (!exceedsCap(ctx, secrets, overlap)) return HOLDS
  const firstEnd = Math.min(
    ...secrets.flatMap((secret) => {
      const end = secretEnd(secret)
      return end !== null && end > ctx.now ? [end] : []
    }),
  )
  return fail('limit.exceeded', {
    quota: {
      subject: `client:${clientId}`,
      description: `a client may have at most ${MAX_VALID_SECRETS} valid secrets`,
    },
    retryAfterMs: firstEnd - ctx.now,
  })
})

/** Rotations of one client run one after the other, so that the cap and the overlap hold. */
const rotationIsStored = postcondition<
  Rotation & { readonly issued: { readonly stored: ClientSecret } },
  TransactionStores
>('rotationIsStored', async (ctx, { clientId, overlap, client, etag, issued: { stored } }) => {
  if (!(await ctx.stores.clients.lock(clientId))) return LOST_RACE
  if (etag !== null && (await ctx.stores.clients.find(ctx, clientId))?.version !== client.version) return LOST_RACE
  if (exceedsCap(ctx, await ctx.stores.clientSecrets.ofClient(ctx, clientId), overlap)) return LOST_RACE
  if (!(await deleteSecrets(ctx, await ctx.stores.clientSecrets.orphansOf(ctx, clientId)))) return LOST_RACE
  await ctx.stores.clientSecrets.expireAll(clientId, later(ctx.now, overlap))
  await ctx.stores.clientSecrets.insert(stored)
  const metadata = { secret_id: stored.secretId, overlap_seconds: String(overlap / 1_000) }
  await ctx.stores.auditLog.append(auditEvent(ctx, 'client.secret_rotated', { clientId, metadata }))
  return HOLDS
})

/** Generates a new secret. The older ones expire after the overlap. */
export const rotateClientSecret = defineFlow({
  name: 'rotateClientSecret',
  lane: 'transaction',
  preconditions: given<RotateClientSecretRequest>()
    .and(clientExists)
    .and(etagIsCurrent)
    .and(callerHoldsPermissionsAtStake)
    .and(clientUsesSecrets)
    .and(validSecretsAreFew),
  run: (ctx, { clientId }) => drawClientSecret(ctx, clientId),
  postconditions: [rotationIsStored],
})

interface SecretNamed {
  readonly clientId: ClientId
  readonly secretId: SecretId
}

const secretExists = condition<SecretNamed>('secretExists', async (ctx, { clientId, secretId }) => {
  const secrets = await ctx.stores.clientSecrets.ofClient(ctx, clientId)
  const isNamed = (secret: ClientSecret) => secret.secretId === secretId
  return secrets.some(isNamed) || (await ctx.stores.clientSecrets.orphansOf(ctx, clientId)).some(isNamed)
    ? HOLDS
    : fail('resource.not_found', { resource: { type: 'client_secret', name: secretId } })
})

const secretIsDeleted = postcondition<SecretNamed, TransactionStores>(
  'secretIsDeleted',
  async (ctx, { clientId, secretId }) => {
    // Locks the client, so that no secret creates another one meanwhile.
    if (!(await ctx.stores.clients.lock(clientId))) return LOST_RACE
    const { clientSecrets } = ctx.stores
    const meant = withDescendants(await clientSecrets.ofClient(ctx, clientId), secretId)
    const ended = [...meant, ...(await clientSecrets.orphansOf(ctx, clientId))]
    if (!ended.some((secret) => secret.secretId === secretId)) return LOST_RACE
    return (await deleteSecrets(ctx, ended)) ? HOLDS : LOST_RACE
  },
)

/** Revokes one secret at once, and all secrets created with it. Orphaned secrets of the client are deleted too. */
export const revokeClientSecret = defineFlow({
  name: 'revokeClientSecret',
  lane: 'transaction',
  preconditions: given<SecretNamed>().and(clientExists).and(callerHoldsPermissionsAtStake).and(secretExists),
  run: () => null,
  postconditions: [secretIsDeleted],
})

import { auditEvent } from '../../audit-event.ts'
import { actorOf, type CallContext } from '../../context.ts'
import type { DrawnSigningKey } from '../../crypto/signing-keys.ts'
import type { AuditEventType } from '../../domain/audit-event.ts'
import type { Client } from '../../domain/client.ts'
import { type Milliseconds, milliseconds, type SigningKeyId } from '../../domain/ids.ts'
import type { SigningAlgorithm, SigningKey, SigningKeyState } from '../../domain/signing-key.ts'
import { fail, RETRY_AFTER_MS, success } from '../../results.ts'
import { condition, type Decision, LOST_RACE, RETRY, type Refusal } from '../condition.ts'
import type { FlowContext } from '../context.ts'

export interface NamedSigningKey {
  readonly keyId: SigningKeyId
}

/** A management call names an existing key. */
export const signingKeyExists = condition<NamedSigningKey, { readonly key: SigningKey }>(
  'signingKeyExists',
  async (ctx, { keyId }) => {
    const key = await ctx.stores.signingKeys.find(ctx, keyId)
    return key === null
      ? fail('resource.not_found', { resource: { type: 'signing_key', name: keyId } })
      : success({ key })
  },
)

/** A key never returns to an earlier state. */
export function refuseFrom(state: SigningKeyState) {
  return fail('resource.conflict', { metadata: { state }, because: 'key_state' })
}

/** A generated key as it will be read back, prepared now. */
export function draftSigningKey(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'now' | 'rayId'>,
  drawn: DrawnSigningKey,
): SigningKey {
  return Object.freeze({
    ...drawn,
    state: 'prepared',
    longestLifetime: milliseconds(0),
    preparedAt: ctx.now,
    preparedBy: actorOf(ctx),
    activatedAt: null,
    retiredAt: null,
    revokedAt: null,
    tokensUntil: null,
    rayId: ctx.rayId,
  })
}

/** An audit event about a key. The events have no column for keys. */
export function keyEvent(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'rayId' | 'now'>,
  type: Extract<AuditEventType, `key.${string}`>,
  { keyId, algorithm }: SigningKey,
  reason = '',
) {
  const metadata = { key_id: keyId, algorithm, ...(reason !== '' && { reason }) }
  return auditEvent(ctx, type, { metadata })
}

/** The key that signs access tokens. `null`: they are opaque. */
export type Signing = { readonly signer: SigningKey | null }

/**
 * RFC 9068 §2.1: for a client that gets JWTs, an active key exists. It is read for this call and will outlast the
 * tokens that it signs.
 */
export const signerIsReady = condition<{ readonly client: Client }, Signing>(
  'signerIsReady',
  async (ctx, { client: { config } }): Promise<Decision<Signing>> =>
    config.accessTokenFormat === 'opaque' ? success({ signer: null }) : await signerFor(ctx, config.accessTokenTtl),
)

/** An active key exists, read for this call. It signs documents that are not stored. */
export const serverSigns = signerLasts(milliseconds(0))

/** An active key exists, read for this call. It will outlast tokens of this lifetime, for any client. */
export function signerLasts(lifetime: Milliseconds) {
  return condition<object, { readonly signer: SigningKey }>('signerLasts', (ctx) => signerFor(ctx, lifetime))
}

async function signerFor(ctx: FlowContext, lifetime: Milliseconds): Promise<Decision<{ readonly signer: SigningKey }>> {
  const { signingAlgorithm } = ctx.services
  const signer = await ctx.stores.signingKeys.findActive(ctx, signingAlgorithm)
  if (signer === null) return await refuseUntilActive(ctx, signingAlgorithm)
  return signer.longestLifetime < lifetime ? refuseUntilCovered(signer, lifetime) : success({ signer })
}

/**
 * If no key of the algorithm is active, the one prepared first is activated, or a new one if none is prepared. Then the
 * call is evaluated again. Of all concurrent calls and instances, one does it.
 */
async function refuseUntilActive(ctx: FlowContext, algorithm: SigningAlgorithm): Promise<Refusal> {
  const prepared = (await ctx.stores.signingKeys.published(ctx)).find(
    (key) => key.state === 'prepared' && key.algorithm === algorithm,
  )
  const key = prepared ?? draftSigningKey(ctx, await ctx.services.signingKeys.draw(algorithm))
  return refuseMeanwhile(async (inside) => {
    const { signingKeys, auditLog } = inside.stores
    if (prepared === undefined) {
      if (!(await signingKeys.insert(key))) return LOST_RACE
      await auditLog.append(keyEvent(inside, 'key.created', key))
    }
    if (!(await signingKeys.activate(key.keyId, { at: inside.now, by: actorOf(inside) }))) return LOST_RACE
    await auditLog.append(keyEvent(inside, 'key.activated', key))
    return RETRY
  })
}

/**
 * If a key signs tokens with a longer lifetime than before, it is kept longer after it retires. The new lifetime is
 * stored before it signs.
 */
function refuseUntilCovered({ keyId }: SigningKey, lifetime: SigningKey['longestLifetime']): Refusal {
  return refuseMeanwhile(async (inside) => {
    const change = { at: inside.now, by: actorOf(inside) }
    return (await inside.stores.signingKeys.coverLifetime(keyId, lifetime, change)) ? RETRY : LOST_RACE
  })
}

/** The answer that the caller gets only if the effect cannot be committed. */
function refuseMeanwhile(effect: NonNullable<Refusal['effect']>): Refusal {
  return { ...fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS }), effect }
}

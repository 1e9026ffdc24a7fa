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

/** A management call names a key that exists. */
export const signingKeyExists = condition<NamedSigningKey, { readonly key: SigningKey }>(
  'signingKeyExists',
  async (ctx, { keyId }) => {
    const key = await ctx.stores.signingKeys.find(ctx, keyId)
    return key === null
      ? fail('resource.not_found', { resource: { type: 'signing_key', name: keyId } })
      : success({ key })
  },
)

/** A key goes from state to state, and never back. */
export function refuseFrom(state: SigningKeyState) {
  return fail('resource.conflict', { metadata: { state }, because: 'key_state' })
}

/** A drawn key as it will read back, prepared now. */
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

/** What happened to a key; the events have no column for keys. */
export function keyEvent(
  ctx: Pick<CallContext, 'caller' | 'peer' | 'rayId' | 'now'>,
  type: Extract<AuditEventType, `key.${string}`>,
  { keyId, algorithm }: SigningKey,
  reason = '',
) {
  const metadata = { key_id: keyId, algorithm, ...(reason !== '' && { reason }) }
  return auditEvent(ctx, type, { metadata })
}

/** What access tokens are signed with; `null`: they are opaque. */
export type Signing = { readonly signer: SigningKey | null }

/** RFC 9068 §2.1: for a client of JWTs there is a key that signs, read for this call, which will outlast what it signs. */
export const signerIsReady = condition<{ readonly client: Client }, Signing>(
  'signerIsReady',
  async (ctx, { client: { config } }): Promise<Decision<Signing>> =>
    config.accessTokenFormat === 'opaque' ? success({ signer: null }) : await signerFor(ctx, config.accessTokenTtl),
)

/** There is a key that signs what is kept nowhere, read for this call. */
export const serverSigns = signerLasts(milliseconds(0))

/** There is a key that signs, read for this call, which will outlast what lives so long, whichever client it is for. */
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
 * Where no key of the algorithm signs: the one prepared first is activated, or a
 * new one where none is prepared, and the call is evaluated again. Of any number of
 * calls and instances that find none, one does it.
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

/** A key that signs longer-lived tokens than before is kept for longer when it retires; noted before it does. */
function refuseUntilCovered({ keyId }: SigningKey, lifetime: SigningKey['longestLifetime']): Refusal {
  return refuseMeanwhile(async (inside) => {
    const change = { at: inside.now, by: actorOf(inside) }
    return (await inside.stores.signingKeys.coverLifetime(keyId, lifetime, change)) ? RETRY : LOST_RACE
  })
}

/** What the caller sees only if the effect never comes to stand. */
function refuseMeanwhile(effect: NonNullable<Refusal['effect']>): Refusal {
  return { ...fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS }), effect }
}

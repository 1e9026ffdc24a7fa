import { actorOf } from '../../context.ts'
import type { Client } from '../../domain/client.ts'
import type { SigningAlgorithm, SigningKey } from '../../domain/signing-key.ts'
import { fail, RETRY_AFTER_MS, success } from '../../results.ts'
import { condition, type Decision, LOST_RACE, RETRY, type Refusal } from '../condition.ts'
import type { FlowContext } from '../context.ts'
import { draftSigningKey, keyEvent } from './signing-key.ts'

/** What access tokens are signed with; `null`: they are opaque. */
export type Signing = { readonly signer: SigningKey | null }

/** RFC 9068 §2.1: for a client of JWTs there is a key that signs, read for this call, which will outlast what it signs. */
export const signerIsReady = condition<{ readonly client: Client }, Signing>(
  'signerIsReady',
  async (ctx, { client: { config } }): Promise<Decision<Signing>> => {
    if (config.accessTokenFormat === 'opaque') return success({ signer: null })
    const { signingAlgorithm } = ctx.services
    const signer = await ctx.stores.signingKeys.findActive(ctx, signingAlgorithm)
    if (signer === null) return await refuseUntilActive(ctx, signingAlgorithm)
    if (signer.longestLifetime < config.accessTokenTtl) return refuseUntilCovered(signer, config.accessTokenTtl)
    return success({ signer })
  },
)

/**
 * Where no key of the algorithm signs: the one prepared first is activated, or a
 * new one where none is prepared, and the call is evaluated again. Of any number of
 * calls and instances that find none, one does it.
 */
export async function refuseUntilActive(ctx: FlowContext, algorithm: SigningAlgorithm): Promise<Refusal> {
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
export function refuseUntilCovered({ keyId }: SigningKey, lifetime: SigningKey['longestLifetime']): Refusal {
  return refuseMeanwhile(async (inside) => {
    const change = { at: inside.now, by: actorOf(inside) }
    return (await inside.stores.signingKeys.coverLifetime(keyId, lifetime, change)) ? RETRY : LOST_RACE
  })
}

/** What the caller sees only if the effect never comes to stand. */
function refuseMeanwhile(effect: NonNullable<Refusal['effect']>): Refusal {
  return { ...fail('oauth.temporarily_unavailable', { retryAfterMs: RETRY_AFTER_MS }), effect }
}

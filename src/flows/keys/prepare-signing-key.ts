import { actorOf } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import { drawSigningKey } from '../../crypto/signing-keys.ts'
import { signingKeyId } from '../../domain/ids.ts'
import { earliestActivation, type SigningAlgorithm, type SigningKey } from '../../domain/signing-key.ts'
import { fail, HOLDS } from '../../results.ts'
import type { ReadStores, TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { draftSigningKey, keyEvent } from '../conditions/signing-key.ts'
import type { LaneContext } from '../context.ts'
import { defineFlow } from '../flow.ts'

interface Wanted {
  /** `null`: the server's default. */
  readonly algorithm: SigningAlgorithm | null
}

const LEAST_RETRY_MS = 1_000
/** One key waits while another signs. The others allow for experiments. */
const MAX_PREPARED = 4
/** Every answer with the key set contains all of them. */
const MAX_PUBLISHED = 50

function exceededBy(keys: readonly SigningKey[]): string | null {
  if (keys.filter(({ state }) => state === 'prepared').length >= MAX_PREPARED) {
    return `an algorithm may have at most ${MAX_PREPARED} prepared keys; activate, retire or revoke one`
  }
  return keys.length >= MAX_PUBLISHED ? `an algorithm may have at most ${MAX_PUBLISHED} published keys` : null
}

async function publishedOf(ctx: LaneContext<Pick<ReadStores, 'signingKeys'>>, algorithm: SigningAlgorithm) {
  return (await ctx.stores.signingKeys.published(ctx)).filter((key) => key.algorithm === algorithm)
}

const keysAreFew = condition<Wanted>('keysAreFew', async (ctx, { algorithm }) => {
  const wanted = algorithm ?? ctx.services.signingAlgorithm
  const keys = await publishedOf(ctx, wanted)
  const description = exceededBy(keys)
  if (description === null) return HOLDS
  // The earliest time at which a key can be activated, or is no longer needed, and so makes room.
  const roomAt = Math.min(
    ...keys.flatMap((key) => (key.state === 'active' ? [] : [key.tokensUntil ?? earliestActivation(key)])),
  )
  const retryAfterMs = Math.max(LEAST_RETRY_MS, Number.isFinite(roomAt) ? roomAt - ctx.now : 0)
  return fail('limit.exceeded', { quota: { subject: `signing_keys:${wanted}`, description }, retryAfterMs })
})

/** Calls that prepare a key run one after the other, so that the cap holds. */
const keyIsStored = postcondition<{ readonly issued: SigningKey }, TransactionStores>(
  'keyIsStored',
  async (ctx, { issued }) => {
    if (!(await ctx.stores.signingKeys.lock({ at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
    if (exceededBy(await publishedOf(ctx, issued.algorithm)) !== null) return LOST_RACE
    if (!(await ctx.stores.signingKeys.insert(issued))) return LOST_RACE
    await ctx.stores.auditLog.append(keyEvent(ctx, 'key.created', issued))
    return HOLDS
  },
)

/** Publishes a new key, so that every verifier has it before it signs. */
export const prepareSigningKey = defineFlow({
  name: 'prepareSigningKey',
  lane: 'transaction',
  preconditions: given<Wanted>().and(keysAreFew),
  run: async (ctx, { algorithm }): Promise<SigningKey> => {
    const { keyring, signingAlgorithm } = ctx.services
    const drawn = await drawSigningKey(keyring, signingKeyId(uuidV7()), algorithm ?? signingAlgorithm)
    return draftSigningKey(ctx, drawn)
  },
  postconditions: [keyIsStored],
})

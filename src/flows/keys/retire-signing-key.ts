import { actorOf } from '../../context.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import { RETIREMENT_MARGIN, type SigningKey } from '../../domain/signing-key.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { type NamedSigningKey, refuseFrom, signingKeyExists } from '../conditions/signing-key.ts'
import { defineFlow } from '../flow.ts'
import { keyEvent } from './draft-signing-key.ts'

type Named = { readonly key: SigningKey }

/**
 * A key that signs no more from now on; it is published for as long as one of its
 * tokens may live, and no longer at all if it never signed.
 */
export function retired(key: SigningKey, now: EpochMs) {
  const tokensUntil = key.activatedAt === null ? now : epochMs(now + key.longestLifetime + RETIREMENT_MARGIN)
  return { ...key, state: 'retired', privateKey: null, retiredAt: now, tokensUntil } as const
}

/** A revoked key does not come back, not even to verify. */
const keyIsNotRevoked = condition<Named>('keyIsNotRevoked', (_ctx, { key }) =>
  key.state === 'revoked' ? refuseFrom(key.state) : HOLDS,
)

const keyIsRetired = postcondition<Named, TransactionStores>('keyIsRetired', async (ctx, { key }) => {
  const { tokensUntil } = retired(key, ctx.now)
  if (!(await ctx.stores.signingKeys.retire(key, tokensUntil, { at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
  await ctx.stores.auditLog.append(keyEvent(ctx, 'key.retired', key))
  return HOLDS
})

/** Ends a key's signing; what it signed stays good. */
export const retireSigningKey = defineFlow({
  name: 'retireSigningKey',
  lane: 'transaction',
  preconditions: given<NamedSigningKey>().and(signingKeyExists).and(keyIsNotRevoked),
  run: (ctx, { key }): SigningKey => (key.state === 'retired' ? key : retired(key, ctx.now)),
  skipWrite: (_ctx, { key }) => key.state === 'retired',
  postconditions: [keyIsRetired],
})

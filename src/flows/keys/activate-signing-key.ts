import { actorOf } from '../../context.ts'
import { earliestActivation, type SigningKey } from '../../domain/signing-key.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, type Decision, given, LOST_RACE, postcondition } from '../condition.ts'
import { type NamedSigningKey, refuseFrom, signingKeyExists } from '../conditions/signing-key.ts'
import { defineFlow } from '../flow.ts'
import { keyEvent } from './draft-signing-key.ts'
import { retired } from './retire-signing-key.ts'

type Named = { readonly key: SigningKey }
/** The key that signs until now. */
type Former = { readonly former: SigningKey | null }

/** RFC 9068 §4, RFC 7517 §5: nobody is handed a token that a key set they may still keep cannot verify. */
const keyIsPublishedLongEnough = condition<Named, Former>(
  'keyIsPublishedLongEnough',
  async (ctx, { key }): Promise<Decision<Former>> => {
    if (key.state === 'active') return success({ former: null })
    if (key.state !== 'prepared') return refuseFrom(key.state)
    const former = await ctx.stores.signingKeys.findActive(ctx, key.algorithm)
    const earliest = earliestActivation(key)
    // The first key of an algorithm keeps nobody waiting: without it there are no tokens to verify.
    if (former === null || ctx.now >= earliest) return success({ former })
    const metadata = { activate_after: new Date(earliest).toISOString() }
    return fail('resource.conflict', { retryAfterMs: earliest - ctx.now, metadata, because: 'key_too_early' })
  },
)

/** One key of an algorithm signs: its predecessor retires in the same commit. */
const keyIsTheOnlyActiveOne = postcondition<Named & Former, TransactionStores>(
  'keyIsTheOnlyActiveOne',
  async (ctx, { key, former }) => {
    const { signingKeys, auditLog } = ctx.stores
    const change = { at: ctx.now, by: actorOf(ctx) }
    if (former !== null) {
      if (!(await signingKeys.retire(former, retired(former, ctx.now).tokensUntil, change))) return LOST_RACE
      await auditLog.append(keyEvent(ctx, 'key.retired', former))
    }
    if (!(await signingKeys.activate(key.keyId, change))) return LOST_RACE
    await auditLog.append(keyEvent(ctx, 'key.activated', key))
    return HOLDS
  },
)

/** Lets a prepared key sign in place of the one that did. */
export const activateSigningKey = defineFlow({
  name: 'activateSigningKey',
  lane: 'transaction',
  preconditions: given<NamedSigningKey>().and(signingKeyExists).and(keyIsPublishedLongEnough),
  run: (ctx, { key }): SigningKey => (key.state === 'active' ? key : { ...key, state: 'active', activatedAt: ctx.now }),
  skipWrite: (_ctx, { key }) => key.state === 'active',
  postconditions: [keyIsTheOnlyActiveOne],
})

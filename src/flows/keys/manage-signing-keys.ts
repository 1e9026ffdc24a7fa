import { actorOf } from '../../context.ts'
import { type EpochMs, epochMs, signingKeyId } from '../../domain/ids.ts'
import { earliestActivation, RETIREMENT_MARGIN, type SigningKey } from '../../domain/signing-key.ts'
import { fail, HOLDS, success } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import type { SigningKeyFilter } from '../../stores/contract/signing-keys.ts'
import { condition, type Decision, given, LOST_RACE, postcondition } from '../condition.ts'
import { keyEvent, type NamedSigningKey, refuseFrom, signingKeyExists } from '../conditions/signing-key.ts'
import { defineFlow, query } from '../flow.ts'
import { pagedList } from '../paged-list.ts'

/** Signing keys in all states, most recently prepared first. */
export const listSigningKeys = pagedList({
  name: 'listSigningKeys',
  list: 'signing_keys',
  read: (ctx, filter: SigningKeyFilter, { after, limit }) =>
    ctx.stores.signingKeys.page(ctx, filter, { after: after === null ? null : signingKeyId(after), limit }),
  keyOf: ({ keyId }) => keyId,
})

/** A key for verifiers, and the data sent to them when it is revoked. */
export interface PublishedKey {
  readonly key: SigningKey
  readonly revocationKey: Buffer
}

/** RFC 7517 §5: the keys that verify the current tokens, and those of the next minutes. */
export const getJsonWebKeySet = query({
  name: 'getJsonWebKeySet',
  preconditions: given<object>(),
  answer: async (ctx): Promise<readonly PublishedKey[]> =>
    (await ctx.stores.signingKeys.published(ctx)).map((key) => ({
      key,
      revocationKey: ctx.services.revocationKeys.of({ kind: 'signing_key', keyId: key.keyId }),
    })),
})

type Named = { readonly key: SigningKey }
/** The key that has been active until now. */
type Former = { readonly former: SigningKey | null }

/** RFC 9068 §4, RFC 7517 §5: a key must be published before it signs, until cached key sets contain it. */
const keyIsPublishedLongEnough = condition<Named, Former>(
  'keyIsPublishedLongEnough',
  async (ctx, { key }): Promise<Decision<Former>> => {
    if (key.state === 'active') return success({ former: null })
    if (key.state !== 'prepared') return refuseFrom(key.state)
    const former = await ctx.stores.signingKeys.findActive(ctx, key.algorithm)
    const earliest = earliestActivation(key)
    // The first key of an algorithm needs no wait, because no verifier has tokens of this algorithm yet.
    if (former === null || ctx.now >= earliest) return success({ former })
    const metadata = { activate_after: new Date(earliest).toISOString() }
    return fail('resource.conflict', { retryAfterMs: earliest - ctx.now, metadata, because: 'key_too_early' })
  },
)

/** One key of an algorithm is active. Its predecessor retires in the same commit. */
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

/** Activates a prepared key in place of the active one. */
export const activateSigningKey = defineFlow({
  name: 'activateSigningKey',
  lane: 'transaction',
  preconditions: given<NamedSigningKey>().and(signingKeyExists).and(keyIsPublishedLongEnough),
  run: (ctx, { key }): SigningKey => (key.state === 'active' ? key : { ...key, state: 'active', activatedAt: ctx.now }),
  skipWrite: (_ctx, { key }) => key.state === 'active',
  postconditions: [keyIsTheOnlyActiveOne],
})

/**
 * A key that no longer signs from now on. It is published until its longest-lived token expires. If it never signed, it
 * is not published any more.
 */
export function retired(key: SigningKey, now: EpochMs) {
  const tokensUntil = key.activatedAt === null ? now : epochMs(now + key.longestLifetime + RETIREMENT_MARGIN)
  return { ...key, state: 'retired', privateKey: null, retiredAt: now, tokensUntil } as const
}

/** A revoked key is never used again, not even to verify. */
const keyIsNotRevoked = condition<Named>('keyIsNotRevoked', (_ctx, { key }) =>
  key.state === 'revoked' ? refuseFrom(key.state) : HOLDS,
)

const keyIsRetired = postcondition<Named, TransactionStores>('keyIsRetired', async (ctx, { key }) => {
  const { tokensUntil } = retired(key, ctx.now)
  if (!(await ctx.stores.signingKeys.retire(key, tokensUntil, { at: ctx.now, by: actorOf(ctx) }))) return LOST_RACE
  await ctx.stores.auditLog.append(keyEvent(ctx, 'key.retired', key))
  return HOLDS
})

/** Ends a key's signing. Its signatures remain valid. */
export const retireSigningKey = defineFlow({
  name: 'retireSigningKey',
  lane: 'transaction',
  preconditions: given<NamedSigningKey>().and(signingKeyExists).and(keyIsNotRevoked),
  run: (ctx, { key }): SigningKey => (key.state === 'retired' ? key : retired(key, ctx.now)),
  skipWrite: (_ctx, { key }) => key.state === 'retired',
  postconditions: [keyIsRetired],
})

interface Revocation extends NamedSigningKey {
  /** For the audit log; may be empty. */
  readonly reason: string
}

const keyIsRevoked = postcondition<Revocation & { readonly key: SigningKey }, TransactionStores>(
  'keyIsRevoked',
  async (ctx, { key, reason }) => {
    const change = { at: ctx.now, by: actorOf(ctx) }
    if (!(await ctx.stores.signingKeys.revoke(key.keyId, reason === '' ? 'revoked' : reason, change))) return LOST_RACE
    await ctx.stores.auditLog.append(keyEvent(ctx, 'key.revoked', key, reason))
    return HOLDS
  },
)

/** Revokes a key at once, with everything it signed: every check of a token joins its key. */
export const revokeSigningKey = defineFlow({
  name: 'revokeSigningKey',
  lane: 'transaction',
  preconditions: given<Revocation>().and(signingKeyExists),
  run: (ctx, { key }): SigningKey =>
    key.state === 'revoked' ? key : { ...key, state: 'revoked', privateKey: null, revokedAt: ctx.now },
  skipWrite: (_ctx, { key }) => key.state === 'revoked',
  postconditions: [keyIsRevoked],
})

import { actorOf } from '../../context.ts'
import type { SigningKey } from '../../domain/signing-key.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { type NamedSigningKey, signingKeyExists } from '../conditions/signing-key.ts'
import { defineFlow } from '../flow.ts'
import { keyEvent } from './draft-signing-key.ts'

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

/** Ends a key at once, with everything it signed: every check of a token joins its key. */
export const revokeSigningKey = defineFlow({
  name: 'revokeSigningKey',
  lane: 'transaction',
  preconditions: given<Revocation>().and(signingKeyExists),
  run: (ctx, { key }): SigningKey =>
    key.state === 'revoked' ? key : { ...key, state: 'revoked', privateKey: null, revokedAt: ctx.now },
  skipWrite: (_ctx, { key }) => key.state === 'revoked',
  postconditions: [keyIsRevoked],
})

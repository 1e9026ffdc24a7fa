import { uuidV7 } from '../../crypto/random.ts'
import { drawSigningKey } from '../../crypto/signing-key.ts'
import { signingKeyId } from '../../domain/ids.ts'
import type { SigningAlgorithm, SigningKey } from '../../domain/signing-key.ts'
import { HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract.ts'
import { given, LOST_RACE, postcondition } from '../condition.ts'
import { defineFlow } from '../flow.ts'
import { draftSigningKey, keyEvent } from './draft-signing-key.ts'

interface Wanted {
  /** `null`: the server's. */
  readonly algorithm: SigningAlgorithm | null
}

const keyIsStored = postcondition<{ readonly issued: SigningKey }, TransactionStores>(
  'keyIsStored',
  async (ctx, { issued }) => {
    if (!(await ctx.stores.signingKeys.insert(issued))) return LOST_RACE
    await ctx.stores.auditLog.append(keyEvent(ctx, 'key.created', issued))
    return HOLDS
  },
)

/** Publishes a new key, so that everybody has it before it signs. */
export const prepareSigningKey = defineFlow({
  name: 'prepareSigningKey',
  lane: 'transaction',
  preconditions: given<Wanted>(),
  run: async (ctx, { algorithm }): Promise<SigningKey> => {
    const { keyring, signingAlgorithm } = ctx.services
    const drawn = await drawSigningKey(keyring, signingKeyId(uuidV7()), algorithm ?? signingAlgorithm)
    return draftSigningKey(ctx, drawn)
  },
  postconditions: [keyIsStored],
})

import type { SigningKeyId } from '../../domain/ids.ts'
import type { SigningKey, SigningKeyState } from '../../domain/signing-key.ts'
import { fail, success } from '../../results.ts'
import { condition } from '../condition.ts'

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

import type { SigningKey } from '../../domain/signing-key.ts'
import { success } from '../../results.ts'
import { condition, given } from '../condition.ts'
import { defineFlow } from '../flow.ts'

const publishedKeysAreRead = condition<object, { readonly keys: readonly SigningKey[] }>(
  'publishedKeysAreRead',
  async (ctx) => success({ keys: await ctx.stores.signingKeys.published(ctx) }),
)

/** RFC 7517 §5: the keys that verify the tokens of now, and of the next minutes. */
export const getJsonWebKeySet = defineFlow({
  name: 'getJsonWebKeySet',
  lane: 'read',
  preconditions: given<object>().and(publishedKeysAreRead),
  run: (_ctx, { keys }) => keys,
  postconditions: [],
})

import { signingKeyId } from '../../domain/ids.ts'
import type { SigningKeyFilter } from '../../stores/contract/signing-keys.ts'
import { definePagedList } from '../paged-list.ts'

/** Signing keys in all states, the last prepared first. */
export const listSigningKeys = definePagedList({
  name: 'signing_keys',
  read: (ctx, filter: SigningKeyFilter, { after, limit }) =>
    ctx.stores.signingKeys.page(ctx, filter, { after: after === null ? null : signingKeyId(after), limit }),
  keyOf: ({ keyId }) => keyId,
})

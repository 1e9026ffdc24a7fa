import { given } from '../condition.ts'
import { type TypedUserCode, userCodeIsKnown } from '../conditions/user-code.ts'
import { defineFlow } from '../flow.ts'

/** RFC 8628 §3.3: what the verification page shows before the user decides. */
export const getDeviceAuthorization = defineFlow({
  name: 'getDeviceAuthorization',
  lane: 'read',
  preconditions: given<TypedUserCode>().and(userCodeIsKnown),
  run: (_ctx, { device, state }) => ({ device, state }),
  postconditions: [],
})

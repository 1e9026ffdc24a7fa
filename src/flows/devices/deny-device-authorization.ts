import { auditEvent } from '../../audit-event.ts'
import { actorOf } from '../../context.ts'
import { fail, HOLDS } from '../../results.ts'
import type { TransactionStores } from '../../stores/contract/backend.ts'
import { condition, given, LOST_RACE, postcondition } from '../condition.ts'
import { type KnownDevice, type TypedUserCode, userCodeIsKnown } from '../conditions/user-code.ts'
import { defineFlow } from '../flow.ts'

/** RFC 8628 §3.3: one decision. The same again is fine, the opposite is not. */
const decisionIsOpenOrTheSame = condition<KnownDevice>('decisionIsOpenOrTheSame', (_ctx, { state }) =>
  state === 'pending' || state === 'denied' ? HOLDS : fail('resource.conflict', { because: 'decided' }),
)

const denialIsFirst = postcondition<KnownDevice, TransactionStores>('denialIsFirst', async (ctx, { device }) => {
  const { deviceAuthorizationId, clientId } = device.authorization
  const change = { at: ctx.now, by: actorOf(ctx) }
  if (!(await ctx.stores.deviceAuthorizations.deny(deviceAuthorizationId, change))) return LOST_RACE
  await ctx.stores.auditLog.append(auditEvent(ctx, 'device.denied', { clientId }))
  return HOLDS
})

/** RFC 8628 §3.3: the front-end reports that the user refused. */
export const denyDeviceAuthorization = defineFlow({
  name: 'denyDeviceAuthorization',
  lane: 'transaction',
  preconditions: given<TypedUserCode>().and(userCodeIsKnown).and(decisionIsOpenOrTheSame),
  run: () => null,
  skipWrite: (_ctx, { state }) => state === 'denied',
  postconditions: [denialIsFirst],
})

import type { Client } from '../../domain/client.ts'
import type { ClientId } from '../../domain/ids.ts'
import { fail, HOLDS, type Result } from '../../results.ts'
import type { ReadStores } from '../../stores/contract/backend.ts'
import { condition } from '../condition.ts'
import type { LaneContext } from '../context.ts'

/** The delay before another device may be started, in milliseconds. By then some of the pending ones are decided. */
export const PENDING_RETRY_AFTER_MS = 60_000

/**
 * RFC 8628 §5.1: a small number of pending codes makes guessing infeasible. Based on committed data; nothing is
 * reserved.
 */
export const anotherDeviceMayBePending = condition<{ readonly client: Client }>(
  'anotherDeviceMayBePending',
  async (ctx, { client: { clientId } }) =>
    await evaluatePendingDevices(ctx, clientId, ctx.services.limits.pendingDeviceAuthorizations),
)

/** Refuses if a client has `most` or more undecided device authorizations. */
export async function evaluatePendingDevices(
  ctx: LaneContext<Pick<ReadStores, 'deviceAuthorizations'>>,
  clientId: ClientId,
  most: number,
): Promise<Result<object>> {
  if ((await ctx.stores.deviceAuthorizations.countPending(ctx, clientId)) < most) return HOLDS
  return fail('limit.exceeded', {
    quota: {
      subject: `client:${clientId}`,
      description: `at most ${most} device authorizations may be pending at the same time`,
    },
    retryAfterMs: PENDING_RETRY_AFTER_MS,
  })
}

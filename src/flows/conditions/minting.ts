import type { Client } from '../../domain/client.ts'
import { condition } from '../condition.ts'

/** The client keeps to its limits with one more token. */
export const mintingIsWithinLimits = condition<{ readonly client: Client }>(
  'mintingIsWithinLimits',
  (ctx, { client }) => ctx.services.limits.minting.reserve(ctx, client.clientId, 1),
)

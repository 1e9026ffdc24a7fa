import type { Client } from '../../domain/client.ts'
import { fail, HOLDS } from '../../results.ts'
import type { FlowContext } from '../context.ts'
import { type Reservation, reservation } from '../flow.ts'

type Minter = Pick<Client, 'clientId'>
type ForClient = { readonly client: Minter }

/** The number of tokens that a flow issues for its facts. */
type Count<Facts> = (facts: Readonly<Facts>) => number

/**
 * The reservations of every flow that issues tokens without a user: the client's rate, and its quota of live tokens.
 */
export function mintLimits<Facts extends ForClient>(count: Count<Facts> = one): readonly Reservation<Facts>[] {
  return [mintingIsWithinRate(count), liveTokensAreWithinQuota(count)]
}

const one = () => 1

/** The client is within its rate. */
function mintingIsWithinRate<Facts extends ForClient>(count: Count<Facts>): Reservation<Facts> {
  return reservation<Facts>({
    name: 'mintingIsWithinRate',
    take: (ctx, facts) =>
      ctx.services.limits.mints.take(facts.client.clientId, ctx.now, count(facts))
        ? HOLDS
        : refuseTooFast(ctx, facts.client, count(facts)),
    check: (ctx, facts) =>
      ctx.services.limits.mints.waitFor(facts.client.clientId, ctx.now, count(facts)) === 0
        ? HOLDS
        : refuseTooFast(ctx, facts.client, count(facts)),
    release: (ctx, facts) => ctx.services.limits.mints.giveBack(facts.client.clientId, count(facts)),
  })
}

function refuseTooFast(ctx: FlowContext, { clientId }: Minter, wanted: number) {
  return fail('limit.exceeded', {
    quota: { subject: `client:${clientId}`, description: 'the client mints tokens too fast' },
    retryAfterMs: Math.max(1, ctx.services.limits.mints.waitFor(clientId, ctx.now, wanted)),
  })
}

/** The client's number of live tokens is within its quota. The number is approximate. */
function liveTokensAreWithinQuota<Facts extends ForClient>(count: Count<Facts>): Reservation<Facts> {
  return reservation<Facts>({
    name: 'liveTokensAreWithinQuota',
    take: (ctx, facts) => {
      const { most } = ctx.services.limits.liveTokens
      return most === null ? HOLDS : takeLiveTokens(ctx, facts.client, count(facts), most)
    },
    check: async (ctx, facts) => {
      const { client } = facts
      const { liveTokens } = ctx.services.limits
      return refuseTooMany(client, await liveTokens.waitFor(ctx, client.clientId, count(facts)), liveTokens.most)
    },
    release: (ctx, facts) => ctx.services.limits.liveTokens.giveBack(facts.client.clientId, count(facts)),
  })
}

async function takeLiveTokens(ctx: FlowContext, client: Minter, wanted: number, most: number) {
  return refuseTooMany(client, await ctx.services.limits.liveTokens.reserve(ctx, client.clientId, wanted), most)
}

function refuseTooMany({ clientId }: Minter, wait: number, most: number | null) {
  if (wait === 0) return HOLDS
  return fail('limit.exceeded', {
    quota: { subject: `client:${clientId}`, description: `a client may have about ${most} live access tokens` },
    retryAfterMs: wait,
  })
}

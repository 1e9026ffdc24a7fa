import type { Client } from '../../domain/client.ts'
import { fail, HOLDS } from '../../results.ts'
import type { FlowContext } from '../context.ts'
import { type Reservation, reservation } from '../flow.ts'

type ForClient = { readonly client: Pick<Client, 'clientId'> }

/** How many tokens the facts of a flow will be issued. */
type Count<Facts> = (facts: Readonly<Facts>) => number

/** What every flow spends that issues tokens without a user: of the client's rate, and of what it may have live. */
export function mintLimits<Facts extends ForClient>(count: Count<Facts> = one): readonly Reservation<Facts>[] {
  return [mintingIsWithinRate(count), liveTokensAreWithinQuota(count)]
}

const one = () => 1

/** The client does not mint too fast. */
function mintingIsWithinRate<Facts extends ForClient>(count: Count<Facts>): Reservation<Facts> {
  return reservation<Facts>({
    name: 'mintingIsWithinRate',
    take: (ctx, facts) => {
      const { mints } = ctx.services.limits
      const { clientId } = facts.client
      const wanted = count(facts)
      if (mints.take(clientId, ctx.now, wanted)) return HOLDS
      return fail('limit.exceeded', {
        quota: { subject: `client:${clientId}`, description: 'tokens are minted too fast' },
        retryAfterMs: Math.max(1, mints.waitFor(clientId, ctx.now, wanted)),
      })
    },
    release: (ctx, facts) => ctx.services.limits.mints.giveBack(facts.client.clientId, count(facts)),
  })
}

/** The client has not too many live tokens, about. */
function liveTokensAreWithinQuota<Facts extends ForClient>(count: Count<Facts>): Reservation<Facts> {
  return reservation<Facts>({
    name: 'liveTokensAreWithinQuota',
    take: (ctx, facts) => {
      const { most } = ctx.services.limits.liveTokens
      return most === null ? HOLDS : takeLiveTokens(ctx, facts.client, count(facts), most)
    },
    release: (ctx, facts) => ctx.services.limits.liveTokens.giveBack(facts.client.clientId, count(facts)),
  })
}

async function takeLiveTokens(ctx: FlowContext, { clientId }: Pick<Client, 'clientId'>, wanted: number, most: number) {
  const wait = await ctx.services.limits.liveTokens.reserve(ctx, clientId, wanted)
  if (wait === 0) return HOLDS
  return fail('limit.exceeded', {
    quota: { subject: `client:${clientId}`, description: `at most ${most} access tokens are live at once, about` },
    retryAfterMs: wait,
  })
}

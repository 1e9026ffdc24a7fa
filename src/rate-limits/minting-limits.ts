import type { ClientId } from '../domain/ids.ts'
import { fail, HOLDS, type Result } from '../results.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { LiveTokenQuota } from './live-token-quota.ts'
import type { RateLimiter } from './rate-limiter.ts'

/** How many access tokens a client may be issued without a user: its rate, and how many may be live. */
export class MintingLimits {
  readonly #rate: RateLimiter
  readonly #liveTokens: LiveTokenQuota

  constructor(rate: RateLimiter, liveTokens: LiveTokenQuota) {
    this.#rate = rate
    this.#liveTokens = liveTokens
  }

  /** Takes room for `count` tokens, all or none. Asked before anything is drawn or written. Throws `StoreError`. */
  async reserve(ctx: StoreContext, clientId: ClientId, count: number): Promise<Result<object>> {
    const subject = `client:${clientId}`
    if (!this.#rate.take(clientId, ctx.now, count)) {
      const quota = { subject, description: 'tokens are minted too fast' }
      return fail('limit.exceeded', { quota, retryAfterMs: Math.max(1, this.#rate.waitFor(clientId, ctx.now, count)) })
    }
    const wait = await this.#liveTokens.reserve(ctx, clientId, count)
    if (wait === 0) return HOLDS
    const quota = { subject, description: `at most ${this.#liveTokens.most} access tokens are live at once, about` }
    return fail('limit.exceeded', { quota, retryAfterMs: wait })
  }

  /** Undoes a reservation that held, for tokens that are not issued after all. */
  release(clientId: ClientId, count: number): void {
    this.#rate.giveBack(clientId, count)
    this.#liveTokens.giveBack(clientId, count)
  }
}

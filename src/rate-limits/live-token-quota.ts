import { BoundedMap } from '../bounded-map.ts'
import { type ClientId, type EpochMs, epochMs } from '../domain/ids.ts'
import type { AccessTokenReads } from '../stores/contract/access-tokens.ts'
import type { StoreContext } from '../stores/contract/context.ts'
import type { CounterSync, PublishCount } from './counter-sync.ts'

/** How long a count is used. A count that takes long is made less often, which keeps counting below 1 % of the time. */
const SHORTEST_MS = 10_000
const LONGEST_MS = 60_000
const REST_PER_COUNT = 100
/** Beyond this many clients, the least recently used one is dropped. It is counted again at its next call. */
const MAX_CLIENTS = 10_000

interface Estimate {
  /** The live tokens at the last count, plus those issued since. */
  tokens: number
  /** The time of the next count. */
  due: EpochMs
  counting: Promise<void> | null
}

/**
 * Limits the live access tokens of each client, approximately. The tokens are counted in
 * the database from time to time. Between two counts, the tokens minted by all workers of
 * this server are added. Expired and revoked tokens, and those minted by other instances,
 * are reflected by the next count.
 */
export class LiveTokenQuota {
  readonly #most: number | null
  readonly #accessTokens: Pick<AccessTokenReads, 'countLive'>
  readonly #estimates = new BoundedMap<string, Estimate>(MAX_CLIENTS)
  readonly #publish: PublishCount

  /** `most` `null`: no limit, and nothing is counted. */
  constructor(most: number | null, accessTokens: Pick<AccessTokenReads, 'countLive'>, counterSync: CounterSync) {
    this.#most = most
    this.#accessTokens = accessTokens
    this.#publish = counterSync.subscribe('live-tokens', (clientId, count) => {
      const estimate = this.#estimates.get(clientId)
      if (estimate !== undefined) estimate.tokens += count
    })
  }

  get most(): number | null {
    return this.#most
  }

  /** Reserves `count` tokens for a client. Returns 0, or after how many milliseconds to try again. */
  async reserve(ctx: StoreContext, clientId: ClientId, count: number): Promise<number> {
    const most = this.#most
    if (most === null) return 0
    const estimate = await this.#estimateOf(ctx, clientId, most)
    const wait = waitFor(estimate, ctx.now, count, most)
    if (wait > 0) return wait
    estimate.tokens += count
    this.#publish(clientId, count)
    return 0
  }

  /** The current answer of `reserve`, without a reservation. */
  async waitFor(ctx: StoreContext, clientId: ClientId, count: number): Promise<number> {
    const most = this.#most
    return most === null ? 0 : waitFor(await this.#estimateOf(ctx, clientId, most), ctx.now, count, most)
  }

  /** The count of a client, renewed if it is due. */
  async #estimateOf(ctx: StoreContext, clientId: ClientId, most: number): Promise<Estimate> {
    const estimate = this.#estimates.get(clientId) ?? { tokens: Number.NaN, due: ctx.now, counting: null }
    this.#estimates.set(clientId, estimate)
    // A count that is due later than the maximum was made before the clock was set back.
    const isDue = ctx.now >= estimate.due || estimate.due - ctx.now > LONGEST_MS
    if (isDue && estimate.counting === null) {
      estimate.counting = this.#count(ctx, clientId, estimate, most).finally(() => {
        estimate.counting = null
      })
      await estimate.counting
    } else if (Number.isNaN(estimate.tokens)) await estimate.counting
    return estimate
  }

  /** Releases a reservation of tokens that were not issued. */
  giveBack(clientId: ClientId, count: number): void {
    const estimate = this.#estimates.get(clientId)
    if (this.#most === null || estimate === undefined) return
    estimate.tokens -= count
    this.#publish(clientId, -count)
  }

  async #count(ctx: StoreContext, clientId: ClientId, estimate: Estimate, most: number): Promise<void> {
    const before = Number.isNaN(estimate.tokens) ? 0 : estimate.tokens
    const begun = performance.now()
    const counted = await this.#accessTokens.countLive(ctx, clientId, most)
    const rest = (performance.now() - begun) * REST_PER_COUNT
    const meanwhile = Number.isNaN(estimate.tokens) ? 0 : estimate.tokens - before
    estimate.tokens = counted + meanwhile
    estimate.due = epochMs(ctx.now + Math.round(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, rest))))
  }
}

/** 0 if `count` more tokens are allowed; otherwise the milliseconds until the next count. */
function waitFor({ tokens, due }: Estimate, now: EpochMs, count: number, most: number): number {
  return tokens + count > most ? Math.max(1, due - now) : 0
}

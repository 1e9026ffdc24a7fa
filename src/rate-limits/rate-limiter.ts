import { BoundedMap } from '../bounded-map.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { CounterSync, PublishCount } from './counter-sync.ts'

export interface RateLimit {
  /** The burst: the capacity of a full bucket. */
  readonly burst: number
  readonly perMinute: number
}

interface Bucket {
  level: number
  at: EpochMs
}

/** The counter that is shared with other processes. */
export interface SharedCounter {
  readonly counterSync: CounterSync
  readonly name: string
}

/** Beyond this many keys, the least recently used one is dropped. Its bucket starts full again. */
const MAX_KEYS = 10_000
const MINUTE = 60_000

/** Token buckets by key, in the memory of one process, or of several that share a counter. */
export class RateLimiter {
  readonly #limit: RateLimit | null
  readonly #buckets = new BoundedMap<string, Bucket>(MAX_KEYS)
  readonly #publish: PublishCount | null

  /** `limit` `null`: no limit. `shared` `null`: the process counts alone. */
  constructor(limit: RateLimit | null, shared: SharedCounter | null = null) {
    this.#limit = limit
    this.#publish =
      limit === null || shared === null ? null : shared.counterSync.subscribe(shared.name, this.#countElsewhere)
  }

  /**
   * Takes `count` tokens from the bucket of a key. Returns `false` and takes none if the
   * bucket has fewer. If `count` exceeds the capacity, a full bucket grants it and goes
   * negative.
   */
  take(key: string, now: EpochMs, count = 1): boolean {
    if (this.#limit === null) return true
    const bucket = this.#bucketOf(key, this.#limit, now)
    if (bucket.level < Math.min(count, this.#limit.burst)) return false
    bucket.level -= count
    this.#publish?.(key, count)
    return true
  }

  /** The milliseconds until `take` would succeed; 0 if it would succeed now. Takes nothing. */
  waitFor(key: string, now: EpochMs, count = 1): number {
    const bucket = this.#buckets.get(key)
    if (this.#limit === null || bucket === undefined) return 0
    const missing = Math.min(count, this.#limit.burst) - levelOf(bucket, this.#limit, now)
    return missing <= 0 ? 0 : Math.ceil((missing * MINUTE) / this.#limit.perMinute)
  }

  /** Undoes a `take` of `count` tokens. */
  giveBack(key: string, count = 1): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined || this.#limit === null) return
    bucket.level = Math.min(this.#limit.burst, bucket.level + count)
    this.#publish?.(key, -count)
  }

  /** Subtracts the tokens that other processes took. The bucket may go negative, because together they may take more than it holds. */
  readonly #countElsewhere = (key: string, count: number, now: EpochMs): void => {
    if (this.#limit === null) return
    const bucket = this.#bucketOf(key, this.#limit, now)
    bucket.level = Math.min(this.#limit.burst, bucket.level - count)
  }

  /** The bucket of a key, refilled up to now and marked as most recently used. */
  #bucketOf(key: string, limit: RateLimit, now: EpochMs): Bucket {
    const bucket = this.#buckets.get(key) ?? { level: limit.burst, at: now }
    this.#buckets.set(key, bucket)
    bucket.level = levelOf(bucket, limit, now)
    bucket.at = now
    return bucket
  }
}

function levelOf(bucket: Bucket, limit: RateLimit, now: EpochMs): number {
  const gained = (Math.max(0, now - bucket.at) * limit.perMinute) / MINUTE
  return Math.min(limit.burst, bucket.level + gained)
}

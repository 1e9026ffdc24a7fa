import { BoundedMap } from '../bounded-map.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { CounterSync, PublishCount } from './counter-sync.ts'

export interface RateLimit {
  /** How many may come at once. */
  readonly burst: number
  readonly perMinute: number
}

interface Bucket {
  level: number
  at: EpochMs
}

/** The counter that other processes count in as well. */
export interface SharedCounter {
  readonly counterSync: CounterSync
  readonly name: string
}

/** Beyond this many keys the longest unused one is forgotten, and so starts full again. */
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
   * Takes `count` tokens of a key's bucket; `false`, and none taken, if it has
   * fewer. More than a full bucket holds are taken from a full one, and owed.
   */
  take(key: string, now: EpochMs, count = 1): boolean {
    if (this.#limit === null) return true
    const bucket = this.#bucketOf(key, this.#limit, now)
    if (bucket.level < Math.min(count, this.#limit.burst)) return false
    bucket.level -= count
    this.#publish?.(key, count)
    return true
  }

  /** How many milliseconds until `take` would succeed; 0: it would now. Takes nothing. */
  waitFor(key: string, now: EpochMs, count = 1): number {
    const bucket = this.#buckets.get(key)
    if (this.#limit === null || bucket === undefined) return 0
    const missing = Math.min(count, this.#limit.burst) - levelOf(bucket, this.#limit, now)
    return missing <= 0 ? 0 : Math.ceil((missing * MINUTE) / this.#limit.perMinute)
  }

  /** Undoes a `take` of as many. */
  giveBack(key: string, count = 1): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined || this.#limit === null) return
    bucket.level = Math.min(this.#limit.burst, bucket.level + count)
    this.#publish?.(key, -count)
  }

  /** What other processes took is gone here too. Together they may have taken more than there was: it is owed. */
  readonly #countElsewhere = (key: string, count: number, now: EpochMs): void => {
    if (this.#limit === null) return
    const bucket = this.#bucketOf(key, this.#limit, now)
    bucket.level = Math.min(this.#limit.burst, bucket.level - count)
  }

  /** Filled up to now, and the one used last. */
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

import type { EpochMs } from '../../domain/ids.ts'

export interface BucketLimit {
  /** How many may come at once. */
  readonly burst: number
  readonly perMinute: number
}

interface Bucket {
  level: number
  at: EpochMs
}

/** Beyond this many keys the longest unused one is forgotten, and so starts full again. */
const MAX_KEYS = 10_000
const MINUTE = 60_000

/** Token buckets by key, in the memory of one process. */
export class TokenBuckets {
  readonly #limit: BucketLimit | null
  readonly #buckets = new Map<string, Bucket>()

  /** `null`: no limit. */
  constructor(limit: BucketLimit | null) {
    this.#limit = limit
  }

  /**
   * Takes `count` tokens of a key's bucket; `false`, and none taken, if it has
   * fewer. More than a full bucket holds are taken from a full one, and owed.
   */
  take(key: string, now: EpochMs, count = 1): boolean {
    if (this.#limit === null) return true
    const bucket = this.#buckets.get(key) ?? { level: this.#limit.burst, at: now }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    this.#forgetOldest()
    bucket.level = levelOf(bucket, this.#limit, now)
    bucket.at = now
    if (bucket.level < Math.min(count, this.#limit.burst)) return false
    bucket.level -= count
    return true
  }

  /** How many milliseconds until `take` would succeed; 0: it would now. Takes nothing. */
  waitFor(key: string, now: EpochMs, count = 1): number {
    const bucket = this.#buckets.get(key)
    if (this.#limit === null || bucket === undefined) return 0
    const missing = Math.min(count, this.#limit.burst) - levelOf(bucket, this.#limit, now)
    return missing <= 0 ? 0 : Math.ceil((missing * MINUTE) / this.#limit.perMinute)
  }

  /** Undoes a `take`. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket !== undefined && this.#limit !== null) bucket.level = Math.min(this.#limit.burst, bucket.level + 1)
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= MAX_KEYS) return
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key)
      return
    }
  }
}

function levelOf(bucket: Bucket, limit: BucketLimit, now: EpochMs): number {
  const gained = (Math.max(0, now - bucket.at) * limit.perMinute) / MINUTE
  return Math.min(limit.burst, bucket.level + gained)
}

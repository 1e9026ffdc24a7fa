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
  readonly #limit: BucketLimit
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: BucketLimit) {
    this.#limit = limit
  }

  /** Takes one token of a key's bucket; `false` if it is empty. */
  take(key: string, now: EpochMs): boolean {
    const bucket = this.#buckets.get(key) ?? { level: this.#limit.burst, at: now }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    this.#forgetOldest()
    const gained = (Math.max(0, now - bucket.at) * this.#limit.perMinute) / MINUTE
    bucket.level = Math.min(this.#limit.burst, bucket.level + gained)
    bucket.at = now
    if (bucket.level < 1) return false
    bucket.level -= 1
    return true
  }

  /** Undoes a `take`. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket !== undefined) bucket.level = Math.min(this.#limit.burst, bucket.level + 1)
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= MAX_KEYS) return
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key)
      return
    }
  }
}

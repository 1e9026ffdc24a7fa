import type { FoundKeys } from '../../auth/key-sources.ts'
import { mayHaveSigned, type UnverifiedAssertion } from '../../crypto/assertion.ts'
import type { VerificationKey } from '../../crypto/key-set.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { ReadKeys } from './key-reader.ts'

/** Times that control when keys are read again, in milliseconds. */
export interface ReadingSchedule {
  /** A copy that is in use is renewed after this time. It stays in use meanwhile. */
  readonly renewAfter: number
  /** A copy of this age is not used, even if no newer one is available. This bounds the use of a withdrawn key. */
  readonly longestUse: number
  /** The minimum time between two searches for an unknown key. */
  readonly searchPause: number
  /** The minimum time between a failed attempt and the next one. */
  readonly failurePause: number
}

export interface CachedKeysOptions {
  readonly read: () => Promise<ReadKeys>
  readonly schedule: ReadingSchedule
  readonly now: () => EpochMs
  /** Called when a problem begins or changes, and with `null` when it ends. */
  readonly report: (problem: string | null) => void
}

/** The maximum number of callers that wait for a party at the same time. Each holds its call and its assertion. */
const MOST_WAITING = 1_000
const TOO_MANY_WAIT = Object.freeze({ ok: false, problem: `${MOST_WAITING} calls wait for these keys already` })

type Copy = Extract<ReadKeys, { readonly ok: true }> & { readonly readAt: number }

/**
 * The cached keys of one party. Concurrent callers share one read. Keys are renewed before they expire, so a short
 * outage of the party has no effect. An unknown key triggers a read at once, but at most one per `searchPause`.
 * Assertions with invented key ids therefore cannot cause a stream of requests. The number of callers that wait is
 * limited. Further ones are told that the keys are unavailable, so a slow party does not fill the memory with calls.
 */
export class CachedKeys {
  readonly #options: CachedKeysOptions
  #copy: Copy | null = null
  #failure: { readonly problem: string; readonly at: number } | null = null
  #searchedAt: number | null = null
  /** The number of attempts started. A caller compares it to see whether an attempt started after its request. */
  #attempts = 0
  #attempt: Promise<void> | null = null
  #waiting = 0
  /** Whether callers were refused since the last good read, because too many waited. */
  #overcrowded = false
  #neededAt: number | null = null
  /** The time of the last good read. Before there was one, the time at which the keys were first needed. */
  #goodSince: number | null = null

  constructor(options: CachedKeysOptions) {
    this.#options = options
  }

  /**
   * Returns the keys. They include the one that the assertion names if the party has it. If the last attempt to read
   * them failed, it is unknown whether the party has another key, so they are unavailable for its assertions.
   */
  async keysFor(assertion: UnverifiedAssertion): Promise<FoundKeys> {
    this.#neededAt = this.#options.now()
    this.#goodSince ??= this.#neededAt
    const attemptsBefore = this.#attempts
    let found = await this.#current()
    while (found.ok && !isAmong(found.keys, assertion) && this.#mayFindMore(attemptsBefore)) {
      if (this.#attempt === null) this.#searchedAt = this.#options.now()
      found = await this.#readAnswer()
    }
    if (!found.ok || isAmong(found.keys, assertion) || this.#failure === null) return found
    return { ok: false, problem: this.#failure.problem }
  }

  /** Reads the keys now, regardless of the cache. If the read fails, the copy stays in use until it expires. */
  async renew(): Promise<void> {
    await this.#read()
  }

  /**
   * The time since the last good read, in milliseconds. Before there was one, the time since the keys were first needed.
   * `null`: they were not needed within the last `recently` milliseconds.
   */
  ageIfNeeded(recently: number): number | null {
    if (this.#neededAt === null || this.#goodSince === null || !this.#isWithin(recently, this.#neededAt)) return null
    return Math.max(0, this.#options.now() - this.#goodSince)
  }

  async #current(): Promise<FoundKeys> {
    const usable = this.#usable()
    if (usable === null && !this.#mustPause()) return await this.#readAnswer()
    if (usable !== null && this.#isDue(usable) && !this.#mustPause()) void this.#read()
    return this.#answer(false)
  }

  /** Waits for the running attempt, or for a new one, unless too many callers wait. */
  async #readAnswer(): Promise<FoundKeys> {
    if (this.#waiting >= MOST_WAITING) {
      if (!this.#overcrowded) this.#options.report(TOO_MANY_WAIT.problem)
      this.#overcrowded = true
      return TOO_MANY_WAIT
    }
    this.#waiting += 1
    await this.#read().finally(() => {
      this.#waiting -= 1
    })
    return this.#answer(true)
  }

  /**
   * Whether another attempt may find a key that a caller misses. A running attempt may have started before the key was
   * published, so a caller waits until one that started after its request has ended. After a failure, the pause of
   * failures applies, so that a new key is found soon after an outage.
   */
  #mayFindMore(attemptsBefore: number): boolean {
    if (this.#attempt !== null) return this.#attempts - 1 <= attemptsBefore
    if (this.#attempts > attemptsBefore) return false
    if (this.#failure !== null) return !this.#mustPause()
    return this.#searchedAt === null || !this.#isWithin(this.#options.schedule.searchPause, this.#searchedAt)
  }

  #answer(waited: boolean): FoundKeys {
    const usable = this.#usable()
    return usable === null
      ? { ok: false, problem: this.#failure?.problem ?? 'the keys are too old to be used' }
      : { ok: true, keys: usable.keys, leftOut: usable.leftOut, waited }
  }

  #isDue({ refreshHint, readAt }: Copy): boolean {
    const { renewAfter, longestUse } = this.#options.schedule
    // Leaves time for further attempts if one fails.
    const hinted = Math.min(refreshHint ?? 0, longestUse / 2)
    return !this.#isWithin(Math.max(renewAfter, hinted), readAt)
  }

  #usable(): Copy | null {
    const copy = this.#copy
    return copy !== null && this.#isWithin(this.#options.schedule.longestUse, copy.readAt) ? copy : null
  }

  #mustPause(): boolean {
    return this.#failure !== null && this.#isWithin(this.#options.schedule.failurePause, this.#failure.at)
  }

  /** If the clock was set back, old keys or a failure must not be kept for the length of that step. */
  #isWithin(ms: number, then: number): boolean {
    return Math.abs(this.#options.now() - then) < ms
  }

  #read(): Promise<void> {
    this.#attempt ??= this.#attemptToRead().finally(() => {
      this.#attempt = null
    })
    return this.#attempt
  }

  async #attemptToRead(): Promise<void> {
    const { read, now, report } = this.#options
    this.#attempts += 1
    // The age of the copy counts from the start of the request, because a key may be withdrawn while the answer is in
    // transit.
    const startedAt = now()
    const found = await read()
    if (found.ok) {
      this.#copy = { ...found, readAt: startedAt }
      this.#goodSince = startedAt
      if (this.#failure !== null || this.#overcrowded) report(null)
      this.#failure = null
      this.#overcrowded = false
      return
    }
    // A published key set replaces the copy at once, even if it is unusable.
    if (!found.unavailable) this.#copy = null
    if (this.#failure?.problem !== found.problem) report(found.problem)
    this.#failure = { problem: found.problem, at: now() }
  }
}

function isAmong(keys: readonly VerificationKey[], assertion: UnverifiedAssertion): boolean {
  return keys.some((key) => mayHaveSigned(key, assertion))
}

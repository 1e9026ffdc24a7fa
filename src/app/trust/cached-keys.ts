import type { FoundKeys } from '../../auth/key-sources.ts'
import { mayHaveSigned, type UnverifiedAssertion } from '../../crypto/assertion.ts'
import type { VerificationKey } from '../../crypto/key-set.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { ReadKeys } from './key-reader.ts'

/** When keys are read again, in milliseconds. */
export interface ReadingSchedule {
  /** After this time the copy is renewed, while it goes on being used. */
  readonly renewAfter: number
  /** At this age a copy is used no more, whether another can be had or not: a key that was withdrawn ends with it. */
  readonly longestUse: number
  /** How long after one look for an unknown key the next may follow. */
  readonly searchPause: number
  /** How long after a failure the next attempt may follow. */
  readonly failurePause: number
}

export interface CachedKeysOptions {
  readonly read: () => Promise<ReadKeys>
  readonly schedule: ReadingSchedule
  readonly now: () => EpochMs
  /** Told when a problem begins, or becomes another one, and with `null` when it is over. */
  readonly report: (problem: string | null) => void
}

type Copy = Extract<ReadKeys, { readonly ok: true }> & { readonly readAt: number }

/**
 * The keys of a party, read by one attempt at a time for all who wait. They are renewed before they are too old
 * to be used, so that a party that cannot be reached for a while is not missed. A key that is not known is looked
 * for at once, but then for a while no more, so that assertions with invented names cause no stream of requests.
 */
export class CachedKeys {
  readonly #options: CachedKeysOptions
  #copy: Copy | null = null
  #failure: { readonly problem: string; readonly at: number } | null = null
  #searchedAt: number | null = null
  /** Counts the attempts that began, so that a caller knows whether one began after it asked. */
  #attempts = 0
  #attempt: Promise<void> | null = null

  constructor(options: CachedKeysOptions) {
    this.#options = options
  }

  /** The keys, among them the one that the assertion names if the party has it. */
  async keysFor(assertion: UnverifiedAssertion): Promise<FoundKeys> {
    const attemptsBefore = this.#attempts
    const found = await this.#current()
    if (!found.ok || isAmong(found.keys, assertion)) return found
    // What is on its way may have been asked for before the key was published.
    if (this.#attempt !== null) await this.#attempt
    const renewed = this.#answer()
    if (!renewed.ok || isAmong(renewed.keys, assertion) || this.#attempts > attemptsBefore) return renewed
    return await this.#search(renewed)
  }

  /** Reads the keys now, whatever there is. If that fails, the copy stays in use until it is too old. */
  async renew(): Promise<void> {
    await this.#read()
  }

  async #current(): Promise<FoundKeys> {
    const usable = this.#usable()
    if (usable === null && !this.#mustPause()) await this.#read()
    else if (usable !== null && this.#isDue(usable) && !this.#mustPause()) void this.#read()
    return this.#answer()
  }

  async #search(found: FoundKeys): Promise<FoundKeys> {
    const { now, schedule } = this.#options
    if (this.#searchedAt !== null && this.#isWithin(schedule.searchPause, this.#searchedAt)) return found
    this.#searchedAt = now()
    await this.#read()
    return this.#answer()
  }

  #answer(): FoundKeys {
    const usable = this.#usable()
    return usable === null
      ? { ok: false, problem: this.#failure?.problem ?? 'the keys are older than may be used' }
      : { ok: true, keys: usable.keys, leftOut: usable.leftOut }
  }

  #isDue({ refreshHint, readAt }: Copy): boolean {
    const { renewAfter, longestUse } = this.#options.schedule
    // Early enough for further attempts where one fails.
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

  /** A clock that was set back must not keep old keys, or a failure, for as long as it was ahead. */
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
    // The copy is as old as its request: a key may be withdrawn while the answer travels.
    const startedAt = now()
    const found = await read()
    if (found.ok) {
      this.#copy = { ...found, readAt: startedAt }
      if (this.#failure !== null) report(null)
      this.#failure = null
      return
    }
    // What the party publishes counts at once, even where it is of no use.
    if (!found.unavailable) this.#copy = null
    if (this.#failure?.problem !== found.problem) report(found.problem)
    this.#failure = { problem: found.problem, at: now() }
  }
}

function isAmong(keys: readonly VerificationKey[], assertion: UnverifiedAssertion): boolean {
  return keys.some((key) => mayHaveSigned(key, assertion))
}

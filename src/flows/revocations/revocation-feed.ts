import { backgroundContext, type Logger } from '../../context.ts'
import type { RevocationHeads } from '../../domain/revocation.ts'
import { isBehind, isUnknown, nameOfPosition, type RevocationPosition } from '../../domain/revocation-position.ts'
import type { RevocationReads } from '../../stores/contract/revocations.ts'
import { RevocationReading } from './revocation-reading.ts'

/** From the start of a query to that of the next one. Timers are late by some milliseconds; the contract says 100. */
const INTERVAL_MS = 90

/** Where a reader waits. */
export interface ReaderPlace {
  /** That of the database which the position is of. */
  readonly database: number
  readonly position: RevocationPosition
}

export interface WaitOptions {
  /** A query that starts at this moment or later is answered whatever it finds; of the monotonic clock. */
  readonly until: number
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal
  /** Aborted when the caller should be answered soon, such as because its connection ends. */
  readonly leaving: AbortSignal | undefined
}

export interface RevocationFeedOptions {
  readonly reads: RevocationReads
  readonly log: Logger
  /** In milliseconds, never put back. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop: whoever waits is answered at once. */
  readonly stopping: AbortSignal
}

interface Waiter {
  /** Those at the same place; another object after each query. */
  group: WaiterGroup
  until: number
  readonly settle: (reading: RevocationReading) => void
  readonly fail: (error: unknown) => void
}

/** Those who wait at one place; `null`: for no change, but for the next query. */
interface WaiterGroup {
  readonly place: ReaderPlace | null
  readonly waiters: Set<Waiter>
}

/**
 * Tells all who wait in this process what is revoked, with one query for all of them
 * in each interval, and none while nobody waits. A waiter is answered by a query that
 * was sent after it came, never by one that was under way: so the answer holds all
 * that any instance had answered before the waiter came. Waiting takes no connection
 * to the database.
 */
export class RevocationFeed {
  readonly #options: RevocationFeedOptions
  /** Whom the next query is for, by where they wait. */
  readonly #groups = new Map<string, WaiterGroup>()
  #timer: NodeJS.Timeout | null = null
  #sentAt = Number.NEGATIVE_INFINITY
  #isUnderway = false
  /** Somebody is to be answered without waiting for the interval. */
  #isHurried = false
  #latest: RevocationReading | null = null
  #queries = 0

  constructor(options: RevocationFeedOptions) {
    this.#options = options
    options.stopping.addEventListener('abort', () => this.#hurry(), { once: true })
  }

  /** How many queries were sent. */
  get queries(): number {
    return this.#queries
  }

  /** What the last query found; `null`: there was none, or it failed. */
  get latest(): RevocationReading | null {
    return this.#latest
  }

  /**
   * Resolves with a query that is sent from now on: the first that finds something
   * behind the place, or does not know the place, or starts at `until` or later. With
   * `null` for a place the next one.
   *
   * @throws StoreError when such a query fails.
   */
  async wait(place: ReaderPlace | null, { until, signal, leaving }: WaitOptions): Promise<RevocationReading> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<RevocationReading>()
    const waiter: Waiter = { group: this.#groupAt(place), until, settle: resolve, fail: reject }
    waiter.group.waiters.add(waiter)
    const cancelled = () => {
      waiter.group.waiters.delete(waiter)
      reject(signal.reason)
    }
    const leave = () => {
      waiter.until = Number.NEGATIVE_INFINITY
      this.#hurry()
    }
    signal.addEventListener('abort', cancelled, { once: true })
    leaving?.addEventListener('abort', leave, { once: true })
    if (leaving?.aborted === true) leave()
    this.#schedule()
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', cancelled)
      leaving?.removeEventListener('abort', leave)
    }
  }

  #groupAt(place: ReaderPlace | null): WaiterGroup {
    const name = place === null ? 'anywhere' : `${place.database} ${nameOfPosition(place.position)}`
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const group = { place, waiters: new Set<Waiter>() }
    this.#groups.set(name, group)
    return group
  }

  #hurry(): void {
    this.#isHurried = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#schedule()
  }

  #schedule(): void {
    if (this.#timer !== null || this.#isUnderway || this.#groups.size === 0) return
    const isHurried = this.#isHurried || this.#options.stopping.aborted
    const dueIn = isHurried ? 0 : this.#sentAt + INTERVAL_MS - this.#options.monotonic()
    this.#timer = setTimeout(() => void this.#query(), Math.max(0, dueIn))
  }

  /** Those who come while it is under way wait for the next one. */
  async #query(): Promise<void> {
    const groups = [...this.#groups.values()].filter(({ waiters }) => waiters.size > 0)
    this.#groups.clear()
    this.#timer = null
    this.#isHurried = false
    if (groups.length === 0) return
    this.#isUnderway = true
    this.#queries += 1
    const { reads, log, monotonic, stopping } = this.#options
    const startedAt = monotonic()
    this.#sentAt = startedAt
    try {
      const snapshot = await reads.heads(backgroundContext('revocation-feed', log))
      const reading = new RevocationReading(reads, snapshot, startedAt)
      this.#latest = reading
      for (const group of groups) this.#serve(group, reading, stopping.aborted)
    } catch (error) {
      this.#latest = null
      for (const { waiters } of groups) for (const waiter of waiters) waiter.fail(error)
    } finally {
      this.#isUnderway = false
      this.#schedule()
    }
  }

  /** Answers those whose wait is over; the others wait on. */
  #serve({ place, waiters }: WaiterGroup, reading: RevocationReading, isStopping: boolean): void {
    const isOver = isStopping || place === null || isNews(place, reading.snapshot)
    for (const waiter of waiters) {
      if (!isOver && waiter.until > reading.startedAt) continue
      waiters.delete(waiter)
      waiter.settle(reading)
    }
    if (waiters.size === 0) return
    const there = this.#groupAt(place)
    for (const waiter of waiters) {
      waiter.group = there
      there.waiters.add(waiter)
    }
  }
}

function isNews({ database, position }: ReaderPlace, { madeAt, heads }: RevocationHeads): boolean {
  return database !== madeAt || isBehind(position, heads) || isUnknown(position, heads)
}

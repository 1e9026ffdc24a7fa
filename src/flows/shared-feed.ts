/** Where a reader waits, and for how long. */
export interface WaitOptions {
  /** A query that starts at this moment or later is answered whatever it finds; of the monotonic clock. */
  readonly until: number
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal
  /** Aborted when the caller should be answered soon, such as because its connection ends. */
  readonly leaving: AbortSignal | undefined
}

/** What one query found. */
interface Timed {
  /** When it was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
}

export interface SharedFeedOptions<Place, Reading extends Timed> {
  /** One query for all who wait, who wait at these places. */
  readonly read: (startedAt: number, places: readonly Place[]) => Promise<Reading>
  /** The same text for the same place. */
  readonly nameOf: (place: Place) => string
  /** Whether a query tells something to those who wait at a place. */
  readonly isNews: (place: Place, reading: Reading) => boolean
  /** From the start of a query to that of the next one, in milliseconds. */
  readonly intervalMs: number
  /** In milliseconds, never put back. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop: whoever waits is answered at once. */
  readonly stopping: AbortSignal
}

interface Waiter<Place, Reading> {
  /** Those at the same place; another object after each query. */
  group: WaiterGroup<Place, Reading>
  until: number
  readonly settle: (reading: Reading) => void
  readonly fail: (error: unknown) => void
}

/** Those who wait at one place; `null`: for no change, but for the next query. */
interface WaiterGroup<Place, Reading> {
  readonly place: Place | null
  readonly waiters: Set<Waiter<Place, Reading>>
}

/**
 * Tells all who wait in this process what is new, with one query for all of them in each
 * interval, and none while nobody waits. A waiter is answered by a query that was sent
 * after it came, never by one that was under way: so the answer holds all that any
 * instance had committed before the waiter came. Waiting takes no connection to the
 * database.
 */
export class SharedFeed<Place, Reading extends Timed> {
  readonly #options: SharedFeedOptions<Place, Reading>
  /** Whom the next query is for, by where they wait. */
  readonly #groups = new Map<string, WaiterGroup<Place, Reading>>()
  #timer: NodeJS.Timeout | null = null
  #sentAt = Number.NEGATIVE_INFINITY
  #isUnderway = false
  /** Somebody is to be answered without waiting for the interval. */
  #isHurried = false
  #latest: Reading | null = null
  #queries = 0

  constructor(options: SharedFeedOptions<Place, Reading>) {
    this.#options = options
    options.stopping.addEventListener('abort', () => this.#hurry(), { once: true })
  }

  /** How many queries were sent. */
  get queries(): number {
    return this.#queries
  }

  /** What the last query found; `null`: there was none, or it failed. */
  get latest(): Reading | null {
    return this.#latest
  }

  /**
   * Resolves with a query that is sent from now on: the first that finds something
   * behind the place, or does not know the place, or starts at `until` or later. With
   * `null` for a place the next one.
   *
   * @throws StoreError when such a query fails.
   */
  async wait(place: Place | null, { until, signal, leaving }: WaitOptions): Promise<Reading> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Reading>()
    const waiter: Waiter<Place, Reading> = { group: this.#groupAt(place), until, settle: resolve, fail: reject }
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

  #groupAt(place: Place | null): WaiterGroup<Place, Reading> {
    const name = place === null ? 'anywhere' : this.#options.nameOf(place)
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const group = { place, waiters: new Set<Waiter<Place, Reading>>() }
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
    const dueIn = isHurried ? 0 : this.#sentAt + this.#options.intervalMs - this.#options.monotonic()
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
    const { read, monotonic, stopping } = this.#options
    const startedAt = monotonic()
    this.#sentAt = startedAt
    try {
      const reading = await read(
        startedAt,
        groups.flatMap(({ place }) => (place === null ? [] : [place])),
      )
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
  #serve({ place, waiters }: WaiterGroup<Place, Reading>, reading: Reading, isStopping: boolean): void {
    const isOver = isStopping || place === null || this.#options.isNews(place, reading)
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

/** The end conditions of a wait. */
export interface WaitOptions {
  /** A query that starts at this time or later answers the wait in any case. By the monotonic clock. */
  readonly until: number
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal
  /** Aborted when the caller should be answered soon, for example because its connection ends. */
  readonly leaving: AbortSignal | undefined
}

/** The result of one query. */
interface Timed {
  /** The time it was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
}

export interface SharedFeedOptions<Place, Reading extends Timed> {
  /** Sends one query for all waiters at these places. */
  readonly read: (startedAt: number, places: readonly Place[]) => Promise<Reading>
  /** Returns the same text for the same place. */
  readonly nameOf: (place: Place) => string
  /** Whether a query found news for the waiters at a place. */
  readonly isNews: (place: Place, reading: Reading) => boolean
  /** The interval between the starts of two queries, in milliseconds. */
  readonly intervalMs: number
  /** A monotonic clock in milliseconds. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop. Waiters are then answered at once. */
  readonly stopping: AbortSignal
}

interface Waiter<Place, Reading> {
  /** The group of waiters at the same place. It is a new object after each query. */
  group: WaiterGroup<Place, Reading>
  until: number
  readonly settle: (reading: Reading) => void
  readonly fail: (error: unknown) => void
}

/** The waiters at one place. `null`: they wait for the next query instead of a change. */
interface WaiterGroup<Place, Reading> {
  readonly place: Place | null
  readonly waiters: Set<Waiter<Place, Reading>>
}

/**
 * Sends news to all waiters in this process. It sends one query for all of them in each interval, and none while there
 * are no waiters. A waiter is answered by a query that was sent after its arrival, never by one that was under way. The
 * answer therefore contains everything that any instance had committed before the arrival. Waiting uses no database
 * connection.
 */
export class SharedFeed<Place, Reading extends Timed> {
  readonly #options: SharedFeedOptions<Place, Reading>
  /** The waiters for the next query, by place. */
  readonly #groups = new Map<string, WaiterGroup<Place, Reading>>()
  #timer: NodeJS.Timeout | null = null
  #sentAt = Number.NEGATIVE_INFINITY
  #isUnderway = false
  /** A waiter must be answered without the delay of the interval. */
  #isHurried = false
  #latest: Reading | null = null
  #queries = 0

  constructor(options: SharedFeedOptions<Place, Reading>) {
    this.#options = options
    options.stopping.addEventListener('abort', () => this.#hurry(), { once: true })
  }

  /** The number of queries sent. */
  get queries(): number {
    return this.#queries
  }

  /** The result of the last query. `null`: there was none, or it failed. */
  get latest(): Reading | null {
    return this.#latest
  }

  /**
   * Resolves with the first query sent from now on that finds news for the place, does not know the place, or starts at
   * `until` or later. For a `null` place, it is the next query.
   *
   * @throws StoreError if such a query fails.
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

  /** Waiters that arrive during the query wait for the next one. */
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

  /** Answers the waiters whose wait is over. The others continue to wait. */
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

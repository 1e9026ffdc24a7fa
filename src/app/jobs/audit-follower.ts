import { backgroundContext, type Logger } from '../../context.ts'
import { uuidV7 } from '../../crypto/random.ts'
import type { AuditEvent } from '../../domain/audit-event.ts'
import { type AuditPosition, positionBehind, positionOf, positionText } from '../../domain/audit-position.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { AuditFeed } from '../../flows/audit/audit-feed.ts'
import type { AuditReading } from '../../flows/audit/audit-reading.ts'
import type { Backend, TransactionStores } from '../../stores/contract/backend.ts'
import type { FollowerState } from '../../telemetry/audit-metrics.ts'
import { settlesWithin } from '../../transports/shutdown.ts'
import { BackgroundJob, Lease, withJitter } from './background-job.ts'

const LEASE_MS = 30_000
const RENEW_AFTER_MS = LEASE_MS / 3
/** A process that does not hold the lease asks for it this often. */
const ASK_AGAIN_MS = 10_000
const RETRY_MS = 2_000
/** How long a delivery may take on when the server stops. */
const LAST_DELIVERY_MS = 2_000

/** What is done with the events of the log. */
export interface AuditProjection {
  /** Names it in the database, and in log lines. */
  readonly name: string
  /**
   * Does it with some events outside of the database; throws where that failed, and is then
   * called with them again. So they may come twice.
   */
  deliver?(events: readonly AuditEvent[]): Promise<void>
  /** The same within the database, in the transaction that notes that they are done: so none counts twice. */
  write?(stores: TransactionStores, events: readonly AuditEvent[]): Promise<void>
}

export interface AuditFollowerOptions {
  readonly projection: AuditProjection
  readonly feed: AuditFeed
  readonly backend: Pick<Backend, 'reads' | 'transaction' | 'maintenance'>
  readonly log: Logger
  readonly now: () => EpochMs
  /** In milliseconds, never put back. */
  readonly monotonic: () => number
  /** How long to wait after a delivery that failed; 2 s if not given. */
  readonly retryMs?: number
}

/** Where the follower is, and the version under which the database knows that. */
interface Place {
  readonly position: AuditPosition
  readonly version: number
}

/**
 * Follows the audit log in the background, from where it stopped the last time; the first
 * time from now on. One process at a time does it, by a lease, and where two of them meet
 * all the same, the database lets one of them move on. No call waits for it.
 */
export class AuditFollower {
  readonly #options: AuditFollowerOptions
  readonly #lease: Lease
  readonly #job: BackgroundJob
  readonly #stopping = new AbortController()
  #isHolder = false
  #renewedAt = Number.NEGATIVE_INFINITY
  #running: Promise<void> = Promise.resolve()
  #delivered = 0
  /** What was committed by then, of the monotonic clock, is delivered; `null`: not known yet. */
  #deliveredUpTo: number | null = null
  /** When the oldest event of the page that is being delivered was made; `null`: there is none. */
  #oldest: EpochMs | null = null
  #isWaiting = false
  #stopped: Promise<void> | null = null

  constructor(options: AuditFollowerOptions) {
    const { projection, backend, log, now, retryMs = RETRY_MS } = options
    const { name } = projection
    this.#options = options
    this.#lease = new Lease({ maintenance: backend.maintenance, name, durationMs: LEASE_MS, now })
    this.#job = new BackgroundJob({
      log,
      delayMs: () => withJitter(this.#isHolder ? retryMs : ASK_AGAIN_MS),
      run: () => {
        this.#running = this.follow()
        return this.#running
      },
      failureMessage: `${name}: audit events could not be delivered; trying again`,
      recoveryMessage: `${name}: audit events are delivered again`,
    })
  }

  /** What it has done since the process began, and how far behind it is. */
  metrics(): FollowerState {
    const { name } = this.#options.projection
    const [isFollowing, delivered, { failures }] = [this.#isHolder, this.#delivered, this.#job]
    return { name, isFollowing, lagMs: isFollowing ? this.#lagMs() : null, delivered, failures }
  }

  start(): void {
    void this.#job.run().then(() => this.#job.start())
  }

  /**
   * Ends after the events that are being delivered; resolves then, or when that takes
   * too long: such as where nobody takes them. They are delivered again by whoever follows.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#job.stop()
    const ended = this.#running.catch(() => undefined)
    if (!(await settlesWithin(LAST_DELIVERY_MS, ended))) {
      const { projection, log } = this.#options
      log.warn(
        {},
        `${projection.name}: the server stops during the delivery of audit events; they will be delivered again`,
      )
      return
    }
    if (this.#isHolder && this.#renewedAt !== Number.NEGATIVE_INFINITY)
      await this.#lease.release().catch(() => undefined)
  }

  /** Until it is stopped, or another process follows. Throws what failed. */
  async follow(): Promise<void> {
    if (!(await this.#holdsLease())) return
    let place = await this.#place()
    while (!this.#stopping.signal.aborted && (await this.#holdsLease())) {
      const reading = await this.#options.feed.readFrom(place.position)
      if (reading.isOfAnotherLog(place.position)) place = await this.#beginAnew(place)
      else if (reading.isNewsFor(place.position)) place = await this.#take(reading, place)
      else {
        place = { ...place, position: positionBehind(place.position, reading.heads) }
        this.#noteDelivered(reading.startedAt)
        await this.#wait(place.position)
      }
    }
  }

  /** Delivers what a query found, page by page. */
  async #take(reading: AuditReading, from: Place): Promise<Place> {
    const { projection, log } = this.#options
    let place = from
    for (;;) {
      const page = await reading.page(backgroundContext(projection.name, log), place.position)
      this.#oldest = oldestOf(page.events)
      await projection.deliver?.(page.events)
      place = await this.#advance(place, page.position, page.events)
      this.#delivered += page.events.length
      if (!page.more) this.#noteDelivered(reading.startedAt)
      if (!page.more || this.#stopping.signal.aborted || !(await this.#holdsLease())) return place
    }
  }

  async #place(): Promise<Place> {
    const { projection, backend, log, feed } = this.#options
    const stored = await backend.reads.auditFollowers.place(backgroundContext(projection.name, log), projection.name)
    if (stored !== null) return { position: positionOf(stored.position), version: stored.version }
    const end = await feed.end()
    return await this.#advance({ position: end, version: 0 }, end, [])
  }

  /** The database was put back: what lies before its end now may have been delivered, or not. */
  async #beginAnew(place: Place): Promise<Place> {
    const { projection, log, feed } = this.#options
    log.error(
      { position: positionText(place.position) },
      `${projection.name}: the audit log is not the one followed before; continuing from its end`,
    )
    return await this.#advance(place, await feed.end(), [])
  }

  async #advance({ version }: Place, position: AuditPosition, events: readonly AuditEvent[]): Promise<Place> {
    const { projection, backend, log, now } = this.#options
    const { name } = projection
    const at = now()
    const ctx = backgroundContext(uuidV7(), log, at)
    const isMoved = await backend.transaction<boolean>(ctx, async (stores) => {
      // Asked inside, so that a repetition of the transaction finds what the first attempt committed.
      const stored = await stores.auditFollowers.place(ctx, name)
      if ((stored?.version ?? 0) !== version) return { commit: false, value: false }
      await projection.write?.(stores, events)
      const commit = await stores.auditFollowers.advance(name, version, positionText(position), at)
      return { commit, value: commit }
    })
    if (!isMoved) throw new Error('another process has moved the position in the meantime')
    return { position, version: version + 1 }
  }

  async #holdsLease(): Promise<boolean> {
    const { monotonic } = this.#options
    if (this.#isHolder && monotonic() - this.#renewedAt < RENEW_AFTER_MS) return true
    this.#isHolder = await this.#lease.acquire()
    if (this.#isHolder) this.#renewedAt = monotonic()
    // Another process goes on from here, and how far it comes is not known.
    else [this.#deliveredUpTo, this.#oldest] = [null, null]
    return this.#isHolder
  }

  #noteDelivered(moment: number): void {
    this.#deliveredUpTo = Math.max(moment, this.#deliveredUpTo ?? moment)
    this.#oldest = null
  }

  #lagMs(): number | null {
    const { feed, now, monotonic } = this.#options
    if (this.#oldest !== null) return Math.max(0, now() - this.#oldest)
    if (this.#deliveredUpTo === null) return null
    // Until it is told something, each query that it waits for has found nothing.
    const queriedAt = this.#isWaiting ? feed.queriedAt : null
    return monotonic() - Math.max(this.#deliveredUpTo, queriedAt ?? this.#deliveredUpTo)
  }

  async #wait(position: AuditPosition): Promise<void> {
    const { feed, monotonic } = this.#options
    const { signal } = this.#stopping
    const until = monotonic() + RENEW_AFTER_MS / 2
    this.#isWaiting = true
    try {
      await feed.wait(position, { until, signal, leaving: undefined })
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#isWaiting = false
    }
  }
}

/** A page is in the order in which events were made. */
function oldestOf([first]: readonly AuditEvent[]): EpochMs | null {
  return first?.createdAt ?? null
}

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
/** How often a process without the lease tries to take it. */
const ASK_AGAIN_MS = 10_000
const RETRY_MS = 2_000
/** How long a running delivery may still take when the server stops. */
const LAST_DELIVERY_MS = 2_000

/** A consumer of the events of the audit log. */
export interface AuditProjection {
  /** Its name in the database and in log lines. */
  readonly name: string
  /**
   * Delivers some events outside of the database. If it throws, it is called again with the
   * same events, so events may be delivered more than once.
   */
  deliver?(events: readonly AuditEvent[]): Promise<void>
  /** Processes events within the transaction that stores the new position, so each event counts exactly once. */
  write?(stores: TransactionStores, events: readonly AuditEvent[]): Promise<void>
}

export interface AuditFollowerOptions {
  readonly projection: AuditProjection
  readonly feed: AuditFeed
  readonly backend: Pick<Backend, 'reads' | 'transaction' | 'maintenance'>
  readonly log: Logger
  readonly now: () => EpochMs
  /** A monotonic clock, in milliseconds. */
  readonly monotonic: () => number
  /** The delay after a failed delivery; 2 s by default. */
  readonly retryMs?: number
}

/** The position of the follower, and its version in the database. */
interface Place {
  readonly position: AuditPosition
  readonly version: number
}

/**
 * Follows the audit log in the background. It continues from the stored position, or starts
 * at the end of the log if there is none. A lease lets one process at a time follow. If two
 * processes follow concurrently, the database allows only one of them to move the position. No
 * call waits for it.
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
  /** Everything committed before this time of the monotonic clock is delivered; `null` if not known yet. */
  #deliveredUpTo: number | null = null
  /** The time of the oldest event of the page in delivery; `null` if there is none. */
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

  /** The deliveries since the process started, and the current lag. */
  metrics(): FollowerState {
    const { name } = this.#options.projection
    const [isFollowing, delivered, { failures }] = [this.#isHolder, this.#delivered, this.#job]
    return { name, isFollowing, lagMs: isFollowing ? this.#lagMs() : null, delivered, failures }
  }

  start(): void {
    void this.#job.run().then(() => this.#job.start())
  }

  /**
   * Stops after the delivery that is running. Resolves then, or when that takes too long,
   * for example because the receiver is down. The next follower delivers these events again.
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

  /** Follows until it is stopped or another process follows. Throws the error of a failed delivery. */
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

  /** Delivers the events of a query, page by page. */
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

  /** The database was restored: the events before its current end may or may not have been delivered. */
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
      // Read inside the transaction, so that a retry sees what the first attempt committed.
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
    // Another process continues from here; its progress is not known to this one.
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
    // Without a notification, each query found nothing new.
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

import { backgroundContext, type Logger } from '../../context.ts'
import { type AuditPosition, logBeginning, positionBehind } from '../../domain/audit-position.ts'
import type { AuditFeedReads } from '../../stores/contract/audit-log.ts'
import { SharedFeed, type WaitOptions } from '../shared-feed.ts'
import { AuditReading, type ReadingOptions } from './audit-reading.ts'

/** The interval between the starts of two queries. */
const INTERVAL_MS = 200
/** The number of new writers that one query looks up. */
const NEW_CHAINS = 16
/** Kept by a reading that many readers share, who start from different positions. */
const SHARED_PAGES = 16
/** Kept by a reading of a single reader. It bounds the memory of a slow reader. */
const OWN_PAGES = 1

export interface AuditFeedOptions {
  readonly reads: AuditFeedReads
  readonly log: Logger
  /** A monotonic clock in milliseconds. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop. Waiting readers are then answered at once. */
  readonly stopping: AbortSignal
}

/**
 * Follows the audit log for all readers in this process. Readers at the end of the log wait together, for one query in
 * each interval. Readers that are behind read at their own pace, each from its own position.
 */
export class AuditFeed {
  readonly #options: AuditFeedOptions
  readonly #feed: SharedFeed<AuditPosition, AuditReading>
  /** The last known end of the log. The first look-up starts at the beginning of the log. */
  #end: Promise<AuditPosition> | null = null

  constructor(options: AuditFeedOptions) {
    const { monotonic, stopping } = options
    this.#options = options
    this.#feed = new SharedFeed({
      read: (startedAt, places) => this.#read(places, { startedAt, keptPages: SHARED_PAGES }),
      nameOf: ({ name }) => name,
      isNews: (position, reading) => reading.isNewsFor(position),
      intervalMs: INTERVAL_MS,
      monotonic,
      stopping,
    })
  }

  /** The number of queries sent for waiting readers. */
  get queries(): number {
    return this.#feed.queries
  }

  /** The time of the last query for waiting readers, by the monotonic clock. `null`: there was none, or it failed. */
  get queriedAt(): number | null {
    return this.#feed.latest?.startedAt ?? null
  }

  /** The end of the log. Later commits are after this position. */
  async end(): Promise<AuditPosition> {
    const known = this.#end === null ? logBeginning() : await this.#end.catch(() => logBeginning())
    const end = this.#endAfter(known)
    this.#end = end
    return await end
  }

  /** Reads the events after a position, with a query of its own. */
  async readFrom(position: AuditPosition): Promise<AuditReading> {
    return await this.#read([position], { startedAt: this.#options.monotonic(), keptPages: OWN_PAGES })
  }

  /**
   * Resolves with the first query sent from now on that finds an event after the position, finds that the position
   * belongs to another log, or starts at `until` or later. For positions that were behind the heads a moment ago.
   *
   * @throws StoreError if such a query fails.
   */
  async wait(position: AuditPosition, options: WaitOptions): Promise<AuditReading> {
    return await this.#feed.wait(position, options)
  }

  async #endAfter(known: AuditPosition): Promise<AuditPosition> {
    let position = known
    for (;;) {
      const { heads } = await this.readFrom(position)
      const before = position
      position = positionBehind(position, heads)
      if (heads.heads.filter(({ ordinal }) => ordinal > before.last).length < NEW_CHAINS) return position
    }
  }

  /** One query for several positions whose chains differ little. */
  async #read(positions: readonly AuditPosition[], options: ReadingOptions): Promise<AuditReading> {
    const { reads, log } = this.#options
    const ctx = backgroundContext('audit-feed', log)
    const ordinals = [...new Set(positions.flatMap(({ marks }) => [...marks.keys()]))]
    const after = Math.min(...positions.map(({ last }) => last))
    return new AuditReading(reads, await reads.heads(ctx, ordinals, after, NEW_CHAINS), options)
  }
}

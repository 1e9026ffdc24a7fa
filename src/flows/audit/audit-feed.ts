import { backgroundContext, type Logger } from '../../context.ts'
import { type AuditPosition, logBeginning, positionBehind } from '../../domain/audit-position.ts'
import type { AuditFeedReads } from '../../stores/contract/audit-log.ts'
import { SharedFeed, type WaitOptions } from '../shared-feed.ts'
import { AuditReading, type ReadingOptions } from './audit-reading.ts'

/** From the start of a query to that of the next one. */
const INTERVAL_MS = 200
/** So many writers that the reader does not know yet are looked at with one query. */
const NEW_CHAINS = 16
/** Of a reading that many share, who come from different places. */
const SHARED_PAGES = 16
/** Of one that a single reader makes: it keeps what it is told, and no more, however slowly it takes that. */
const OWN_PAGES = 1

export interface AuditFeedOptions {
  readonly reads: AuditFeedReads
  readonly log: Logger
  /** In milliseconds, never put back. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop: whoever waits is answered at once. */
  readonly stopping: AbortSignal
}

/**
 * Follows the audit log for all who read it in this process. Those who have read all there
 * is wait together, for one query in each interval. Those who are behind read on at their
 * own pace, each from their own position.
 */
export class AuditFeed {
  readonly #options: AuditFeedOptions
  readonly #feed: SharedFeed<AuditPosition, AuditReading>
  /** Where the log ended when somebody looked last; looked for once from its beginning. */
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

  /** How many queries were sent for those who wait. */
  get queries(): number {
    return this.#feed.queries
  }

  /** When the last query for those who wait was sent, of the monotonic clock; `null`: there was none, or it failed. */
  get queriedAt(): number | null {
    return this.#feed.latest?.startedAt ?? null
  }

  /** Where the log ends: what is committed from now on lies behind it. */
  async end(): Promise<AuditPosition> {
    const known = this.#end === null ? logBeginning() : await this.#end.catch(() => logBeginning())
    const end = this.#endAfter(known)
    this.#end = end
    return await end
  }

  /** What lies behind a position, by a query of its own. */
  async readFrom(position: AuditPosition): Promise<AuditReading> {
    return await this.#read([position], { startedAt: this.#options.monotonic(), keptPages: OWN_PAGES })
  }

  /**
   * Resolves with a query that is sent from now on: the first that finds something behind
   * the position, or finds that it is of another log, or starts at `until` or later. For
   * positions that were behind the heads a moment ago.
   *
   * @throws StoreError when such a query fails.
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

  /** One query for several positions, whose chains do not differ much. */
  async #read(positions: readonly AuditPosition[], options: ReadingOptions): Promise<AuditReading> {
    const { reads, log } = this.#options
    const ctx = backgroundContext('audit-feed', log)
    const ordinals = [...new Set(positions.flatMap(({ marks }) => [...marks.keys()]))]
    const after = Math.min(...positions.map(({ last }) => last))
    return new AuditReading(reads, await reads.heads(ctx, ordinals, after, NEW_CHAINS), options)
  }
}

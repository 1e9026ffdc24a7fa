import { BoundedMap } from '../../bounded-map.ts'
import type { AuditEvent, ChainHeads, PlacedEvent } from '../../domain/audit-event.ts'
import {
  type AuditPosition,
  inOrderOfTime,
  isOfAnotherLog,
  positionAfter,
  positionBehind,
  unreadEvents,
} from '../../domain/audit-position.ts'
import type { AuditFeedReads } from '../../stores/contract/audit-log.ts'
import type { StoreContext } from '../../stores/contract/context.ts'

/** A page takes some 100 KB of memory, for each slow reader. */
export const AUDIT_PAGE_SIZE = 200
/** Events that follow a position. Readers at the same position share one object. */
export class AuditPage {
  readonly events: readonly AuditEvent[]
  readonly more: boolean
  /** The position after the last event. If no more events follow, it is after the heads. */
  readonly position: AuditPosition
  readonly #placed: readonly PlacedEvent[]
  readonly #from: AuditPosition
  readonly #heads: ChainHeads
  readonly #cursors: (string | undefined)[] = []

  constructor(from: AuditPosition, heads: ChainHeads, rows: readonly PlacedEvent[], more: boolean) {
    this.#placed = inOrderOfTime(rows)
    this.#from = from
    this.#heads = heads
    this.events = this.#placed.map(({ event }) => event)
    this.more = more
    this.position = more ? positionAfter(from, heads.heads, this.#placed) : positionBehind(from, heads)
  }

  /** The result of `seal` for the position after an event. It is computed once for all readers of the page. */
  cursorAfter(index: number, seal: (position: AuditPosition) => string): string {
    const known = this.#cursors[index]
    if (known !== undefined) return known
    const cursor = seal(positionAfter(this.#from, this.#heads.heads, this.#placed.slice(0, index + 1)))
    this.#cursors[index] = cursor
    return cursor
  }
}

export interface ReadingOptions {
  /** The time the query was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
  /** The number of pages kept for other readers. */
  readonly keptPages: number
}

/** The result of one query: the heads of the chains, and access to the events before them. */
export class AuditReading {
  /** The time the query was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
  readonly heads: ChainHeads
  readonly #reads: AuditFeedReads
  readonly #pages: BoundedMap<string, Promise<AuditPage>>

  /**
   * `heads`: the heads of all chains in the positions, and of newer chains. `keptPages`: beyond it the least recently
   * used page is dropped and read again.
   */
  constructor(reads: AuditFeedReads, heads: ChainHeads, { startedAt, keptPages }: ReadingOptions) {
    this.#reads = reads
    this.heads = heads
    this.startedAt = startedAt
    this.#pages = new BoundedMap(keptPages)
  }

  /** Whether there are events after a position, or the position belongs to another log. */
  isNewsFor(position: AuditPosition): boolean {
    return this.isOfAnotherLog(position) || unreadEvents(position, this.heads.heads).length > 0
  }

  isOfAnotherLog(position: AuditPosition): boolean {
    return isOfAnotherLog(position, this.heads.heads)
  }

  /**
   * The next events after a position, at most `AUDIT_PAGE_SIZE`. The heads were read before, so no event is missing.
   */
  page(ctx: StoreContext, position: AuditPosition): Promise<AuditPage> {
    const known = this.#pages.get(position.name)
    if (known !== undefined) return known
    const page = this.#read(ctx, position)
    this.#pages.set(position.name, page)
    // Later readers try again.
    page.catch(() => this.#pages.delete(position.name))
    return page
  }

  async #read(ctx: StoreContext, position: AuditPosition): Promise<AuditPage> {
    const ranges = unreadEvents(position, this.heads.heads)
    const rows = ranges.length === 0 ? [] : await this.#reads.within(ctx, ranges, AUDIT_PAGE_SIZE + 1)
    const more = rows.length > AUDIT_PAGE_SIZE
    return new AuditPage(position, this.heads, more ? rows.slice(0, AUDIT_PAGE_SIZE) : rows, more)
  }
}

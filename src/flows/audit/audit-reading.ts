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

/** Some 100 KB in memory, for each reader that is slow to take them. */
export const AUDIT_PAGE_SIZE = 200
/** Events that follow a position. Whoever comes from the same one gets the same object. */
export class AuditPage {
  readonly events: readonly AuditEvent[]
  readonly more: boolean
  /** Behind the last of them; where no more follow, behind the heads. */
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

  /** What `seal` makes of the position after an event; made once for all who read the page. */
  cursorAfter(index: number, seal: (position: AuditPosition) => string): string {
    const known = this.#cursors[index]
    if (known !== undefined) return known
    const cursor = seal(positionAfter(this.#from, this.#heads.heads, this.#placed.slice(0, index + 1)))
    this.#cursors[index] = cursor
    return cursor
  }
}

export interface ReadingOptions {
  /** When the query was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
  /** How many pages it keeps for others who read the same. */
  readonly keptPages: number
}

/** What one query found: how far chains had come, and whatever lies before that. */
export class AuditReading {
  /** When the query was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
  readonly heads: ChainHeads
  readonly #reads: AuditFeedReads
  readonly #pages: BoundedMap<string, Promise<AuditPage>>

  /**
   * `heads`: of all chains that the positions have marks for, and of later ones. `keptPages`: who comes from the place
   * that is longest unused beyond these reads again.
   */
  constructor(reads: AuditFeedReads, heads: ChainHeads, { startedAt, keptPages }: ReadingOptions) {
    this.#reads = reads
    this.heads = heads
    this.startedAt = startedAt
    this.#pages = new BoundedMap(keptPages)
  }

  /** Whether there is something to read behind a position, or it is of another log. */
  isNewsFor(position: AuditPosition): boolean {
    return this.isOfAnotherLog(position) || unreadEvents(position, this.heads.heads).length > 0
  }

  isOfAnotherLog(position: AuditPosition): boolean {
    return isOfAnotherLog(position, this.heads.heads)
  }

  /** The next events behind a position, at most `AUDIT_PAGE_SIZE`; the heads were read before, so none of them is missing. */
  page(ctx: StoreContext, position: AuditPosition): Promise<AuditPage> {
    const known = this.#pages.get(position.name)
    if (known !== undefined) return known
    const page = this.#read(ctx, position)
    this.#pages.set(position.name, page)
    // Whoever comes later tries again.
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

import { BoundedMap } from '../../bounded-map.ts'
import type { Revocation, RevocationHeads } from '../../domain/revocation.ts'
import {
  advanced,
  nameOfPosition,
  positionAt,
  type RevocationPosition,
  unreadRanges,
} from '../../domain/revocation-position.ts'
import type { StoreContext } from '../../stores/contract/context.ts'
import type { RevocationReads } from '../../stores/contract/revocations.ts'

/** A page of revocations. Callers that request the same page share one object. */
export interface RevocationPage {
  readonly revocations: readonly Revocation[]
  /** The position after the last revocation. If no more follow, it is after the heads. */
  readonly position: RevocationPosition
  readonly more: boolean
}

/** The largest page. It takes some 36 KB when encoded, in memory for each slow reader. */
export const MAX_PAGE_SIZE = 1_000
/** The number of positions whose rows are kept. Beyond it the least recently used one is dropped and read again. */
const MAX_PLACES = 32

/** The result of one query: the heads of all writers at one moment, and access to the revocations before them. */
export class RevocationReading {
  /** The time the query was sent, in milliseconds of the process's monotonic clock. */
  readonly startedAt: number
  readonly snapshot: RevocationHeads
  readonly #reads: RevocationReads
  readonly #rows = new BoundedMap<string, Promise<readonly Revocation[]>>(MAX_PLACES)
  readonly #pages = new BoundedMap<string, RevocationPage>(MAX_PLACES)

  constructor(reads: RevocationReads, snapshot: RevocationHeads, startedAt: number) {
    this.#reads = reads
    this.snapshot = snapshot
    this.startedAt = startedAt
  }

  /**
   * The revocations after a position and up to the heads, at most `limit`, which is at most `MAX_PAGE_SIZE`. The heads
   * were read before, and no writer commits out of order, so no revocation is missing. Readers at the same position
   * share one query.
   */
  async page(ctx: StoreContext, position: RevocationPosition, limit: number): Promise<RevocationPage> {
    const place = nameOfPosition(position)
    const rows = await this.#rowsBehind(ctx, position, place)
    const name = `${limit} ${place}`
    const known = this.#pages.get(name)
    if (known !== undefined) return known
    const page = this.#pageOf(rows, position, limit)
    this.#pages.set(name, page)
    return page
  }

  #pageOf(rows: readonly Revocation[], position: RevocationPosition, limit: number): RevocationPage {
    const { heads } = this.snapshot
    const more = rows.length > limit
    const revocations = more ? rows.slice(0, limit) : rows
    return { revocations, more, position: more ? advanced(position, heads, revocations) : positionAt(heads) }
  }

  /** Reads one more than the largest page, to know whether another page follows. */
  #rowsBehind(ctx: StoreContext, position: RevocationPosition, place: string): Promise<readonly Revocation[]> {
    const known = this.#rows.get(place)
    if (known !== undefined) return known
    const ranges = unreadRanges(position, this.snapshot.heads)
    if (ranges.length === 0) return Promise.resolve([])
    const reading = this.#reads.page(ctx, ranges, MAX_PAGE_SIZE + 1)
    this.#rows.set(place, reading)
    // Later readers try again.
    reading.catch(() => this.#rows.delete(place))
    return reading
  }
}

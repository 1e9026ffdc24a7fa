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

/** A page of revocations. Whoever asks for the same one gets the same object. */
export interface RevocationPage {
  readonly revocations: readonly Revocation[]
  /** Behind the last of them; where no more follow, behind the heads. */
  readonly position: RevocationPosition
  readonly more: boolean
}

/** The largest page: some 36 KB when encoded, which wait in memory for each reader that is slow to take them. */
export const MAX_PAGE_SIZE = 1_000
/** As many different places are read from; who comes from the one longest unused reads again. */
const MAX_PLACES = 32

/** What one query found: the heads of all writers at one moment, and whatever lies before them. */
export class RevocationReading {
  /** When the query was sent, in milliseconds of the process's monotonic clock. */
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
   * The revocations behind a position, at most `limit`, which is at most
   * `MAX_PAGE_SIZE`, and none behind the heads. The heads were read before, and no
   * writer commits out of order, so none of these is missing. Who comes from one place
   * shares one look-up.
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

  /** One more than the largest page holds tells whether another one follows. */
  #rowsBehind(ctx: StoreContext, position: RevocationPosition, place: string): Promise<readonly Revocation[]> {
    const known = this.#rows.get(place)
    if (known !== undefined) return known
    const ranges = unreadRanges(position, this.snapshot.heads)
    if (ranges.length === 0) return Promise.resolve([])
    const reading = this.#reads.page(ctx, ranges, MAX_PAGE_SIZE + 1)
    this.#rows.set(place, reading)
    // Whoever comes later tries again.
    reading.catch(() => this.#rows.delete(place))
    return reading
  }
}

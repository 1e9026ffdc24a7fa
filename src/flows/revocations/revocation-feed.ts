import { backgroundContext, type Logger } from '../../context.ts'
import type { RevocationHeads } from '../../domain/revocation.ts'
import { isBehind, isUnknown, nameOfPosition, type RevocationPosition } from '../../domain/revocation-position.ts'
import type { RevocationReads } from '../../stores/contract/revocations.ts'
import { SharedFeed, type WaitOptions } from '../shared-feed.ts'
import { RevocationReading } from './revocation-reading.ts'

/** From the start of a query to that of the next one. Timers are late by some milliseconds; the contract says 100. */
const INTERVAL_MS = 90

/** Where a reader waits. */
export interface ReaderPlace {
  /** That of the database which the position is of. */
  readonly database: number
  readonly position: RevocationPosition
}

export interface RevocationFeedOptions {
  readonly reads: RevocationReads
  readonly log: Logger
  /** In milliseconds, never put back. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop: whoever waits is answered at once. */
  readonly stopping: AbortSignal
}

/**
 * Tells all who wait in this process what is revoked: the answer to a waiter holds all that any instance had answered
 * before the waiter came.
 */
export class RevocationFeed {
  readonly #feed: SharedFeed<ReaderPlace, RevocationReading>

  constructor({ reads, log, monotonic, stopping }: RevocationFeedOptions) {
    this.#feed = new SharedFeed({
      read: async (startedAt) =>
        new RevocationReading(reads, await reads.heads(backgroundContext('revocation-feed', log)), startedAt),
      nameOf: ({ database, position }) => `${database} ${nameOfPosition(position)}`,
      isNews: (place, { snapshot }) => isNews(place, snapshot),
      intervalMs: INTERVAL_MS,
      monotonic,
      stopping,
    })
  }

  /** How many queries were sent. */
  get queries(): number {
    return this.#feed.queries
  }

  /** What the last query found; `null`: there was none, or it failed. */
  get latest(): RevocationReading | null {
    return this.#feed.latest
  }

  /**
   * Resolves with a query that is sent from now on: the first that finds something
   * behind the place, or does not know the place, or starts at `until` or later. With
   * `null` for a place the next one.
   *
   * @throws StoreError when such a query fails.
   */
  wait(place: ReaderPlace | null, options: WaitOptions): Promise<RevocationReading> {
    return this.#feed.wait(place, options)
  }
}

function isNews({ database, position }: ReaderPlace, { madeAt, heads }: RevocationHeads): boolean {
  return database !== madeAt || isBehind(position, heads) || isUnknown(position, heads)
}

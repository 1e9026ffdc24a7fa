import { backgroundContext, type Logger } from '../../context.ts'
import type { RevocationHeads } from '../../domain/revocation.ts'
import { isBehind, isUnknown, nameOfPosition, type RevocationPosition } from '../../domain/revocation-position.ts'
import type { RevocationReads } from '../../stores/contract/revocations.ts'
import { SharedFeed, type WaitOptions } from '../shared-feed.ts'
import { RevocationReading } from './revocation-reading.ts'

/** The interval between the starts of two queries. Timers are late by some milliseconds; the contract allows 100. */
const INTERVAL_MS = 90

/** The position of a waiting reader. */
export interface ReaderPlace {
  /** The id of the database that the position belongs to. */
  readonly database: number
  readonly position: RevocationPosition
}

export interface RevocationFeedOptions {
  readonly reads: RevocationReads
  readonly log: Logger
  /** A monotonic clock in milliseconds. */
  readonly monotonic: () => number
  /** Aborted when the server is asked to stop. Waiting readers are then answered at once. */
  readonly stopping: AbortSignal
}

/**
 * Sends revocations to all waiting readers in this process. An answer contains every revocation that any instance had
 * confirmed before the reader began to wait.
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

  /** The number of queries sent. */
  get queries(): number {
    return this.#feed.queries
  }

  /** The result of the last query. `null`: there was none, or it failed. */
  get latest(): RevocationReading | null {
    return this.#feed.latest
  }

  /**
   * Resolves with the first query sent from now on that finds a revocation after the place, does not know the place, or
   * starts at `until` or later. For a `null` place, it is the next query.
   *
   * @throws StoreError if such a query fails.
   */
  wait(place: ReaderPlace | null, options: WaitOptions): Promise<RevocationReading> {
    return this.#feed.wait(place, options)
  }
}

function isNews({ database, position }: ReaderPlace, { madeAt, heads }: RevocationHeads): boolean {
  return database !== madeAt || isBehind(position, heads) || isUnknown(position, heads)
}

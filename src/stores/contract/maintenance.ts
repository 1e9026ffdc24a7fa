import type { PurgeKind } from '../../domain/expiry.ts'
import type { EpochMs } from '../../domain/ids.ts'

/** Housekeeping, apart from calls: what is deleted here no check would have accepted. */
export interface Maintenance {
  /**
   * Takes or renews a lease that one holder has at a time, until a moment on
   * the callers' clocks. Of any number of concurrent calls by others, none
   * returns `true` while it lasts.
   */
  acquireLease(name: string, holder: string, now: EpochMs, until: EpochMs): Promise<boolean>
  /**
   * Deletes at most `limit` rows, by primary key, that ended before `before`:
   * access tokens that expired; grants whose last token expired, each after its
   * codes and tokens; device authorizations and used assertions that ran out.
   * Returns how many rows;
   * fewer than `limit`: nothing that had ended is left.
   */
  purge(kind: PurgeKind, before: EpochMs, limit: number): Promise<number>
  /** What `purge` would delete: how much, counted up to `most`, and when the oldest ended. */
  backlog(
    kind: PurgeKind,
    before: EpochMs,
    most: number,
  ): Promise<{ readonly count: number; readonly oldest: EpochMs | null }>
  /** Forgets answers kept for spent refresh tokens whose window has ended at `now`; returns how many. */
  eraseReplays(now: EpochMs, limit: number): Promise<number>
}

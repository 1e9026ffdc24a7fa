import type { PurgeKind } from '../../domain/expiry.ts'
import type { EpochMs } from '../../domain/ids.ts'

export type PerKind<T> = Readonly<Record<PurgeKind, T>>

/** What waits to be deleted. */
export interface Backlog {
  /** Up to 10,000. */
  readonly count: number
  /** Since the oldest should have gone; `null`: there is none. */
  readonly oldestAgeMs: number | null
}

/** What a round did. */
export interface PurgeRound {
  readonly deleted: PerKind<number>
  /** `null`: the process is stopping, and did not look. */
  readonly backlog: PerKind<Backlog> | null
  /** Whether everything is gone that had ended when the round began. */
  readonly complete: boolean
  readonly durationMs: number
}

/** Since the process started, for dashboards. */
export interface PurgeMetrics {
  /** Rounds in which this process held the lease. */
  readonly rounds: number
  /** Rounds and sweeps that the database broke off. */
  readonly failures: number
  readonly deleted: PerKind<number>
  readonly erasedReplays: number
  /** As of the last look. */
  readonly backlog: PerKind<Backlog>
  /** `null`: not yet. */
  readonly lookedAt: EpochMs | null
}

export function perKind<T>(value: (kind: PurgeKind) => T): Record<PurgeKind, T> {
  return {
    access_tokens: value('access_tokens'),
    grants: value('grants'),
    device_authorizations: value('device_authorizations'),
    assertion_ids: value('assertion_ids'),
  }
}

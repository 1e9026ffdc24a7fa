import { drawFingerprintKey } from '../crypto/fingerprints.ts'
import type { EpochMs } from '../domain/ids.ts'

/** Hears what another worker counted; negative: taken back. */
export type CountSubscriber = (key: string, count: number, now: EpochMs) => void
/** Tells the other workers what was counted here. */
export type PublishCount = (key: string, count: number) => void

/**
 * How processes that serve together keep counts in common: each counts for
 * itself and tells the others, who hear of it a moment later. What all of them
 * let pass within that moment may exceed a limit; over time it holds.
 */
export interface CounterSync {
  /** Takes part in the count of that name. */
  subscribe(name: string, hear: CountSubscriber): PublishCount
  /** Under which all of them name secrets that must not travel. */
  readonly fingerprintKey: string
}

/** Of a process that serves alone. */
export function unsharedCounters(): CounterSync {
  return { subscribe: () => () => undefined, fingerprintKey: drawFingerprintKey() }
}

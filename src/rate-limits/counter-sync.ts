import { hash } from 'node:crypto'
import { randomBytes } from '../crypto/random.ts'
import type { EpochMs } from '../domain/ids.ts'

/** Is told what another process counted; a negative count was given back. */
export type CountSubscriber = (key: string, count: number, now: EpochMs) => void
/** Tells the other processes what was counted here. */
export type PublishCount = (key: string, count: number) => void

/**
 * How processes that serve together keep counters in common: each counts for
 * itself and publishes what it counted, and the others add it a moment later. What
 * all of them let pass within that moment may exceed a limit; over time it holds.
 */
export interface CounterSync {
  /** Joins the counter of that name: `onCount` is told what the others count, and the answer publishes what is counted here. */
  subscribe(name: string, onCount: CountSubscriber): PublishCount
  /** The key of the fingerprints by which all processes name secrets, which must not travel. */
  readonly fingerprintKey: string
}

/** The counters of a process that serves alone. */
export class UnsharedCounters implements CounterSync {
  readonly fingerprintKey = drawFingerprintKey()

  subscribe(): PublishCount {
    return () => undefined
  }
}

export function drawFingerprintKey(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Short names for secrets, to tell whether one was seen before. They mean
 * nothing to whoever lacks the key, which lives no longer than the service runs.
 */
export function fingerprinter(key: string): (secret: string) => string {
  return (secret) => hash('sha256', key + secret, 'base64url')
}

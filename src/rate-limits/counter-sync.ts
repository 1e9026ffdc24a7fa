import { hash } from 'node:crypto'
import { randomBytes } from '../crypto/random.ts'
import type { EpochMs } from '../domain/ids.ts'

/** Receives the counts of another process. A negative count was given back. */
export type CountSubscriber = (key: string, count: number, now: EpochMs) => void
/** Publishes a count of this process to the others. */
export type PublishCount = (key: string, count: number) => void

/**
 * Shares counters between the worker processes of a server. Each process counts locally
 * and publishes its counts, and the others add them a moment later. Within that moment
 * the processes together may exceed a limit; on average they keep it.
 */
export interface CounterSync {
  /** Joins the counter of this name. `onCount` receives the counts of the others; the returned function publishes counts of this process. */
  subscribe(name: string, onCount: CountSubscriber): PublishCount
  /** The key of the fingerprints by which processes identify secrets, because the secrets themselves are not sent. */
  readonly fingerprintKey: string
}

/** The counters of a server with a single process. */
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
 * Computes fingerprints of secrets, to recognize a secret that was seen before. They are
 * useless without the key, which exists only while the service runs.
 */
export function fingerprinter(key: string): (secret: string) => string {
  return (secret) => hash('sha256', key + secret, 'base64url')
}

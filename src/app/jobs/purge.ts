import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../context.ts'
import { PURGE_KINDS, type PurgeKind } from '../../domain/expiry.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { IssuingClock } from '../../flows/context.ts'
import type { Maintenance } from '../../stores/contract/backend.ts'
import { BackgroundJob, Lease, withJitter } from './background-job.ts'

const LEASE_NAME = 'purge'
/** Longer than a round, so that a slow batch does not lose the lease. The lease of a process that died expires after this time. */
const LEASE_MS = 90_000
const RENEW_AFTER_MS = LEASE_MS / 3
const ROUND_MS = 30_000
/** The delay before the next round if the backlog is not empty. */
const CONTINUE_AFTER_MS = 1_000
/** Small, so that calls do not wait long behind a batch and replicas do not lag. */
const BATCH = 500
const PAUSE_MS = 20
/** The backlog is counted up to this number; counting more rows costs too much. */
const MOST_COUNTED = 10_000
/** With its jitter, well below the 60 s that an answer may be kept beyond its replay window. */
const SWEEP_MS = 30_000

export type PerKind<T> = Readonly<Record<PurgeKind, T>>

/** The rows that are due for deletion. */
export interface Backlog {
  /** Up to 10,000. */
  readonly count: number
  /** How long the oldest row is overdue; `null` if there is none. */
  readonly oldestAgeMs: number | null
}

/** The result of a round. */
export interface PurgeRound {
  readonly deleted: PerKind<number>
  /** `null` if the process is stopping and did not count it. */
  readonly backlog: PerKind<Backlog> | null
  /** Whether all rows that had expired at the start of the round are deleted. */
  readonly complete: boolean
  readonly durationMs: number
}

/** Totals since the process started, for dashboards. */
export interface PurgeMetrics {
  /** Rounds in which this process held the lease. */
  readonly rounds: number
  /** Rounds and sweeps that ended with a database error. */
  readonly failures: number
  readonly deleted: PerKind<number>
  readonly erasedReplays: number
  /** The last count. */
  readonly backlog: PerKind<Backlog>
  /** `null`: not yet. */
  readonly lookedAt: EpochMs | null
}

export interface PurgeOptions {
  readonly maintenance: Maintenance
  readonly clock: IssuingClock
  readonly log: Logger
  readonly now: () => EpochMs
  /** The time between two rounds; `null` turns the purge off. */
  readonly intervalMs: number | null
  /** How long expired rows are kept. */
  readonly retentionMs: number
}

/**
 * Deletes rows that no call can use any more, in rounds of small batches. A lease lets
 * one process at a time do this. Every process erases the answers that are kept for lost
 * refresh responses, so that they are erased in time even if the holder of the lease dies.
 */
export class Purge {
  readonly #options: PurgeOptions
  readonly #lease: Lease
  readonly #jobs: readonly BackgroundJob[]
  readonly #stopping = new AbortController()
  #rounds = 0
  readonly #deleted = perKind(() => 0)
  #erasedReplays = 0
  #backlog: PerKind<Backlog> = perKind(() => ({ count: 0, oldestAgeMs: null }))
  #lookedAt: EpochMs | null = null
  #unfinished = false

  constructor(options: PurgeOptions) {
    this.#options = options
    const { maintenance, log, now, intervalMs } = options
    this.#lease = new Lease({ maintenance, name: LEASE_NAME, durationMs: LEASE_MS, now })
    const sweeping = new BackgroundJob({
      log,
      delayMs: () => withJitter(SWEEP_MS),
      run: () => this.sweep(),
      failureMessage: 'answers kept for lost refresh responses could not be purged; trying again',
      recoveryMessage: 'answers kept for lost refresh responses can be purged again',
    })
    if (intervalMs === null) this.#jobs = [sweeping]
    else {
      const purging = new BackgroundJob({
        log,
        delayMs: () => (this.#unfinished ? CONTINUE_AFTER_MS : withJitter(intervalMs)),
        run: () => this.round(),
        failureMessage: 'expired rows could not be purged; trying again',
        recoveryMessage: 'expired rows can be purged again',
      })
      this.#jobs = [sweeping, purging]
    }
  }

  metrics(): PurgeMetrics {
    return {
      rounds: this.#rounds,
      failures: this.#jobs.reduce((sum, { failures }) => sum + failures, 0),
      deleted: { ...this.#deleted },
      erasedReplays: this.#erasedReplays,
      backlog: this.#backlog,
      lookedAt: this.#lookedAt,
    }
  }

  /** Runs in the background until `stop`. */
  start(): void {
    for (const job of this.#jobs) job.start()
  }

  /**
   * Starts no further batch, and releases the lease. Does not wait for a running batch,
   * which commits or fails on its own.
   */
  stop(): void {
    for (const job of this.#jobs) job.stop()
    this.#stopping.abort()
  }

  /**
   * Deletes the rows that expired longer ago than the retention; `null` if another
   * process holds the lease. Throws `StoreError`.
   */
  async round(longestMs = ROUND_MS): Promise<PurgeRound | null> {
    // If this clock is ahead, rows that look expired here may still be valid for other instances.
    if (!(await this.#options.clock.isRight()))
      throw new Error('the clock of this machine differs too much from the database’s; nothing is purged')
    const { now, retentionMs, log } = this.#options
    const begun = performance.now()
    this.#unfinished = false
    const before = epochMs(now() - retentionMs)
    const purged = await this.#purge(before, begun + longestMs)
    const backlog = this.#stopping.signal.aborted ? null : await this.#countBacklog(before)
    if (purged === null) return null
    const { deleted, complete } = purged
    this.#rounds += 1
    this.#unfinished = !complete
    const round = { deleted, backlog, complete, durationMs: Math.round(performance.now() - begun) }
    if (PURGE_KINDS.some((kind) => deleted[kind] > 0)) log.info({ ...round }, 'purged')
    return round
  }

  /** Erases the answers whose replay window is over. Throws `StoreError`. */
  async sweep(): Promise<void> {
    const { maintenance, now } = this.#options
    const until = now()
    for (let more = true; more && !this.#stopping.signal.aborted; ) {
      const erased = await maintenance.eraseReplays(until, BATCH)
      this.#erasedReplays += erased
      more = erased === BATCH
      if (more) await this.#pause()
    }
  }

  /** Deletes one batch of each kind in turn, so that a large backlog of one kind does not delay the others. */
  async #purge(before: EpochMs, endAt: number): Promise<Pick<PurgeRound, 'deleted' | 'complete'> | null> {
    const { maintenance } = this.#options
    let leasedAt = performance.now()
    if (!(await this.#lease.acquire())) return null
    const deleted = perKind(() => 0)
    let kinds: readonly PurgeKind[] = PURGE_KINDS
    while (kinds.length > 0) {
      const open: PurgeKind[] = []
      for (const kind of kinds) {
        if (this.#stopping.signal.aborted || performance.now() >= endAt) {
          await this.#lease.release()
          return { deleted, complete: false }
        }
        if (performance.now() - leasedAt > RENEW_AFTER_MS) {
          leasedAt = performance.now()
          if (!(await this.#lease.acquire())) return { deleted, complete: false }
        }
        const count = await maintenance.purge(kind, before, BATCH)
        deleted[kind] += count
        this.#deleted[kind] += count
        if (count === 0) continue
        open.push(kind)
        await this.#pause()
      }
      kinds = open
    }
    await this.#lease.release()
    return { deleted, complete: true }
  }

  async #countBacklog(before: EpochMs): Promise<PerKind<Backlog>> {
    const { maintenance, now } = this.#options
    const counts = PURGE_KINDS.map(async (kind) => {
      const { count, oldest } = await maintenance.backlog(kind, before, MOST_COUNTED)
      return [kind, { count, oldestAgeMs: oldest === null ? null : before - oldest }] as const
    })
    const found = new Map(await Promise.all(counts))
    this.#backlog = perKind((kind) => found.get(kind) ?? { count: 0, oldestAgeMs: null })
    this.#lookedAt = now()
    return this.#backlog
  }

  async #pause(): Promise<void> {
    await sleep(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

function perKind<T>(value: (kind: PurgeKind) => T): Record<PurgeKind, T> {
  return {
    access_tokens: value('access_tokens'),
    grants: value('grants'),
    device_authorizations: value('device_authorizations'),
    assertion_ids: value('assertion_ids'),
    revocations: value('revocations'),
    scope_usage: value('scope_usage'),
  }
}

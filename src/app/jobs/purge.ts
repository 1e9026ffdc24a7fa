import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { jitter, uuidV7 } from '../../crypto/random.ts'
import { PURGE_KINDS, type PurgeKind } from '../../domain/expiry.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { Logger } from '../../logger.ts'
import type { Maintenance } from '../../stores/contract/maintenance.ts'
import { type Backlog, type PerKind, type PurgeMetrics, type PurgeRound, perKind } from './purge-metrics.ts'
import { type Repetition, repeat } from './repeat.ts'

const LEASE = 'purge'
/** Longer than a round, so that a slow batch does not lose it; a dead holder's is free after this. */
const LEASE_MS = 90_000
const RENEW_AFTER_MS = LEASE_MS / 3
const ROUND_MS = 30_000
/** The next round, where one ended before the backlog did. */
const GO_ON_AFTER_MS = 1_000
/** Small, so that no call waits long behind a batch, and no replica lags. */
const BATCH = 500
const PAUSE_MS = 20
/** The backlog is counted this far; beyond, more is not worth the reading. */
const COUNTED = 10_000
/** With its jitter well within the 60 s that an answer may outlive its replay window. */
const SWEEP_MS = 30_000

export interface PurgeOptions {
  readonly maintenance: Maintenance
  readonly log: Logger
  readonly now: () => EpochMs
  /** Between two rounds; `null`: `start` begins none. */
  readonly intervalMs: number | null
  /** What ended is kept for this long. */
  readonly retentionMs: number
}

/**
 * Deletes what nobody can ask for any more: in rounds, by one process at a time,
 * in small batches. Answers kept for lost refresh responses are erased by every
 * process, so that they do not outlive one that held the lease and died.
 */
export class Purge {
  readonly #options: PurgeOptions
  readonly #holder = uuidV7()
  readonly #stopping = new AbortController()
  #repetitions: Repetition[] = []
  #rounds = 0
  #failures = 0
  readonly #deleted = perKind(() => 0)
  #erasedReplays = 0
  #backlog: PerKind<Backlog> = perKind(() => ({ count: 0, oldestAgeMs: null }))
  #lookedAt: EpochMs | null = null
  #unfinished = false

  constructor(options: PurgeOptions) {
    this.#options = options
  }

  metrics(): PurgeMetrics {
    return {
      rounds: this.#rounds,
      failures: this.#failures,
      deleted: { ...this.#deleted },
      erasedReplays: this.#erasedReplays,
      backlog: this.#backlog,
      lookedAt: this.#lookedAt,
    }
  }

  /** Works in the background until `stop`. */
  start(): void {
    const { intervalMs } = this.#options
    const sweep = this.#guarded('answers kept for lost refresh responses', () => this.sweep())
    const round = this.#guarded('expired rows', () => this.round())
    this.#repetitions = [repeat(() => spread(SWEEP_MS), sweep)]
    if (intervalMs !== null) {
      this.#repetitions.push(repeat(() => (this.#unfinished ? GO_ON_AFTER_MS : spread(intervalMs)), round))
    }
  }

  /**
   * Begins nothing more but giving the lease back, and waits for nothing: what a
   * batch deletes at this moment stands or falls by itself.
   */
  stop(): void {
    for (const repetition of this.#repetitions) repetition.stop()
    this.#stopping.abort()
  }

  /**
   * Deletes what ended before now, less the retention; `null`: another process
   * is at it. Throws `StoreError`.
   */
  async round(longestMs = ROUND_MS): Promise<PurgeRound | null> {
    const { now, retentionMs, log } = this.#options
    const begun = performance.now()
    this.#unfinished = false
    const before = epochMs(now() - retentionMs)
    const purged = await this.#purge(before, begun + longestMs)
    const backlog = this.#stopping.signal.aborted ? null : await this.#look(before)
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

  /** One batch of each kind in turn, so that much of one does not keep the others waiting. */
  async #purge(before: EpochMs, endAt: number): Promise<Pick<PurgeRound, 'deleted' | 'complete'> | null> {
    const { maintenance } = this.#options
    let leasedAt = performance.now()
    if (!(await this.#takeLease())) return null
    const deleted = perKind(() => 0)
    let kinds: readonly PurgeKind[] = PURGE_KINDS
    while (kinds.length > 0) {
      const open: PurgeKind[] = []
      for (const kind of kinds) {
        if (this.#stopping.signal.aborted || performance.now() >= endAt) {
          await this.#giveLeaseBack()
          return { deleted, complete: false }
        }
        if (performance.now() - leasedAt > RENEW_AFTER_MS) {
          leasedAt = performance.now()
          if (!(await this.#takeLease())) return { deleted, complete: false }
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
    await this.#giveLeaseBack()
    return { deleted, complete: true }
  }

  async #look(before: EpochMs): Promise<PerKind<Backlog>> {
    const { maintenance, now } = this.#options
    const looks = PURGE_KINDS.map(async (kind) => {
      const { count, oldest } = await maintenance.backlog(kind, before, COUNTED)
      return [kind, { count, oldestAgeMs: oldest === null ? null : before - oldest }] as const
    })
    const found = new Map(await Promise.all(looks))
    this.#backlog = perKind((kind) => found.get(kind) ?? { count: 0, oldestAgeMs: null })
    this.#lookedAt = now()
    return this.#backlog
  }

  async #takeLease(): Promise<boolean> {
    const { maintenance, now } = this.#options
    const moment = now()
    return await maintenance.acquireLease(LEASE, this.#holder, moment, epochMs(moment + LEASE_MS))
  }

  /** So that `qscope purge`, or another instance, need not wait for its end. */
  async #giveLeaseBack(): Promise<void> {
    const { maintenance, now } = this.#options
    const moment = now()
    await maintenance.acquireLease(LEASE, this.#holder, moment, moment)
  }

  async #pause(): Promise<void> {
    await sleep(PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }

  /** Says once that the database refuses, and once that it does no more; each time the next one tries again. */
  #guarded(what: string, work: () => Promise<unknown>): () => Promise<void> {
    const { log } = this.#options
    let failing = false
    return async () => {
      try {
        await work()
        if (failing) log.info({}, `${what} can be purged again`)
        failing = false
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        this.#failures += 1
        if (!failing) log.warn({ err: error }, `${what} could not be purged; trying again`)
        failing = true
      }
    }
  }
}

/** Give or take a fifth, so that instances started together do not stay together. */
function spread(ms: number): number {
  return ms * (0.8 + 0.4 * jitter())
}

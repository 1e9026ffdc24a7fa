import type { Logger } from '../../context.ts'
import { jitter, uuidV7 } from '../../crypto/random.ts'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { Maintenance } from '../../stores/contract/backend.ts'

export interface BackgroundJobOptions {
  readonly log: Logger
  /** The delay before the first run and between two runs. */
  readonly delayMs: () => number
  readonly run: () => Promise<unknown>
  /** Logged with the first of several failures in a row. */
  readonly failureMessage: string
  readonly failureLevel?: 'warn' | 'error'
  /** Logged when a run succeeds after failures; nothing is logged if not given. */
  readonly recoveryMessage?: string
}

/**
 * Work that this process repeats in the background from `start` to `stop`. A failed run
 * is retried by the next one. Of several failures in a row, only the first is logged.
 * A job does not keep the process alive.
 */
export class BackgroundJob {
  readonly #options: BackgroundJobOptions
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #failing = false
  #failures = 0

  constructor(options: BackgroundJobOptions) {
    this.#options = options
  }

  /** The number of failed runs. */
  get failures(): number {
    return this.#failures
  }

  start(): void {
    this.#schedule()
  }

  /** Starts no further run. A failure of the current run is not logged. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.run().then(() => this.#schedule()), this.#options.delayMs()).unref()
  }

  /** Runs once, now. Never throws. */
  async run(): Promise<void> {
    const { run, log, failureMessage, failureLevel = 'warn', recoveryMessage } = this.#options
    try {
      await run()
      if (this.#failing && recoveryMessage !== undefined) log.info({}, recoveryMessage)
      this.#failing = false
    } catch (error) {
      if (this.#stopped) return
      this.#failures += 1
      if (!this.#failing) log[failureLevel]({ err: error }, failureMessage)
      this.#failing = true
    }
  }
}

/** Adds a jitter of ±20 %, so that instances that were started together drift apart. */
export function withJitter(ms: number): number {
  return ms * (0.8 + 0.4 * jitter())
}

export interface LeaseOptions {
  readonly maintenance: Pick<Maintenance, 'acquireLease'>
  readonly name: string
  /** Longer than the time between two renewals. The lease of a process that died expires after this time. */
  readonly durationMs: number
  readonly now: () => EpochMs
}

/** A lease in the database, held by at most one process at a time. */
export class Lease {
  readonly #options: LeaseOptions
  readonly #holder = uuidV7()

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** Takes or renews the lease; returns whether this process holds it now. */
  async acquire(): Promise<boolean> {
    const now = this.#options.now()
    return await this.#acquireUntil(now, epochMs(now + this.#options.durationMs))
  }

  /** Releases the lease, so that another process can take it before it expires. */
  async release(): Promise<void> {
    const now = this.#options.now()
    await this.#acquireUntil(now, now)
  }

  async #acquireUntil(now: EpochMs, until: EpochMs): Promise<boolean> {
    const { maintenance, name } = this.#options
    return await maintenance.acquireLease(name, this.#holder, now, until)
  }
}

import { performance } from 'node:perf_hooks'
import type { Logger } from '../../context.ts'
import type { EpochMs, Milliseconds } from '../../domain/ids.ts'

/** A comparison that took longer says too little. */
const LONGEST_LOOK_MS = 5_000

export interface ClockWatchOptions {
  /** Asks the database for its time. */
  readonly databaseTime: () => Promise<EpochMs>
  readonly allowed: Milliseconds
  readonly log: Logger
  /** The machine's clocks; in milliseconds. */
  readonly wallClock?: () => number
  readonly monotonicClock?: () => number
}

/** How the clocks stood at one moment. */
interface Comparison {
  readonly aheadMs: number
  readonly wall: number
  readonly monotonic: number
}

/**
 * Compares this machine's clock with the database's. Between two comparisons the
 * monotonic clock tells whether the machine's was put forward or back.
 */
export class ClockWatch {
  readonly #options: Required<ClockWatchOptions>
  #last: Comparison | null = null
  #comparing: Promise<void> | null = null
  /** Whether the log has said so. */
  #wasOff = false

  constructor({
    wallClock = () => Date.now(),
    monotonicClock = () => performance.now(),
    ...options
  }: ClockWatchOptions) {
    this.#options = { wallClock, monotonicClock, ...options }
  }

  /** By how much this machine's clock is ahead, in milliseconds; `null`: not compared yet. */
  get aheadMs(): number | null {
    if (this.#last === null) return null
    const { wallClock, monotonicClock } = this.#options
    const { aheadMs, wall, monotonic } = this.#last
    return aheadMs + (wallClock() - wall) - (monotonicClock() - monotonic)
  }

  /**
   * Whether the clock is right. Asks the database where nothing is known, and where the clock seems off: the monotonic
   * clock stands still while a machine is suspended. Throws like any read.
   */
  isRight(): boolean | Promise<boolean> {
    if (this.#last !== null && this.#isRight()) return true
    return this.compare().then(() => this.#isRight())
  }

  /** Compares the clocks now; those who ask at once share a look. Throws like any read. */
  async compare(): Promise<void> {
    this.#comparing ??= this.#compare().finally(() => {
      this.#comparing = null
    })
    await this.#comparing
  }

  async #compare(): Promise<void> {
    const { databaseTime, wallClock, monotonicClock, allowed, log } = this.#options
    const [before, begun] = [wallClock(), monotonicClock()]
    const there = await databaseTime()
    const [after, monotonic] = [wallClock(), monotonicClock()]
    if (monotonic - begun > LONGEST_LOOK_MS && this.#last !== null) return
    // Read at some moment between the two, so only what lies outside of them is certain.
    const aheadMs = there < before ? before - there : there > after ? after - there : 0
    this.#last = { aheadMs, wall: after, monotonic }
    const isOff = Math.abs(aheadMs) > allowed
    if (isOff === this.#wasOff) return
    this.#wasOff = isOff
    if (isOff) log.error({ aheadMs, allowedMs: allowed }, "this machine's clock is off: no tokens are issued")
    else log.info({ aheadMs }, "this machine's clock is right again: tokens are issued")
  }

  #isRight(): boolean {
    return Math.abs(this.aheadMs ?? 0) <= this.#options.allowed
  }
}

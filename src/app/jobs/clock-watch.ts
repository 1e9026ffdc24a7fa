import { performance } from 'node:perf_hooks'
import type { Logger } from '../../context.ts'
import type { EpochMs, Milliseconds } from '../../domain/ids.ts'

/** A comparison that takes longer is too imprecise to use. */
const LONGEST_LOOK_MS = 5_000

export interface ClockWatchOptions {
  /** Reads the time of the database. */
  readonly databaseTime: () => Promise<EpochMs>
  readonly allowed: Milliseconds
  readonly log: Logger
  /** The clocks of this machine, in milliseconds. */
  readonly wallClock?: () => number
  readonly monotonicClock?: () => number
}

/** The readings of the clocks at one moment. */
interface Comparison {
  readonly aheadMs: number
  readonly wall: number
  readonly monotonic: number
}

/**
 * Compares the clock of this machine with the clock of the database. Between two
 * comparisons, the monotonic clock shows whether the machine's clock was changed.
 */
export class ClockWatch {
  readonly #options: Required<ClockWatchOptions>
  #last: Comparison | null = null
  #comparing: Promise<void> | null = null
  /** Whether the difference was logged. */
  #wasOff = false

  constructor({
    wallClock = () => Date.now(),
    monotonicClock = () => performance.now(),
    ...options
  }: ClockWatchOptions) {
    this.#options = { wallClock, monotonicClock, ...options }
  }

  /** How far the clock of this machine is ahead, in milliseconds; `null` if not compared yet. */
  get aheadMs(): number | null {
    if (this.#last === null) return null
    const { wallClock, monotonicClock } = this.#options
    const { aheadMs, wall, monotonic } = this.#last
    return aheadMs + (wallClock() - wall) - (monotonicClock() - monotonic)
  }

  /**
   * Whether the clock is right. Reads the time of the database if none was read yet, or if the clock seems wrong: the
   * monotonic clock does not advance while a machine is suspended. Throws like any read.
   */
  isRight(): boolean | Promise<boolean> {
    if (this.#last !== null && this.#isRight()) return true
    return this.compare().then(() => this.#isRight())
  }

  /** Compares the clocks now. Concurrent callers share one comparison. Throws like any read. */
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
    // The database was read between the two moments, so only a difference beyond them is certain.
    const aheadMs = there < before ? before - there : there > after ? after - there : 0
    this.#last = { aheadMs, wall: after, monotonic }
    const isOff = Math.abs(aheadMs) > allowed
    if (isOff === this.#wasOff) return
    this.#wasOff = isOff
    if (isOff)
      log.error(
        { aheadMs, allowedMs: allowed },
        'the clock of this machine differs too much from that of the database server: this instance issues no tokens',
      )
    else
      log.info(
        { aheadMs },
        'the clocks of this machine and of the database server agree again: this instance issues tokens',
      )
  }

  #isRight(): boolean {
    return Math.abs(this.aheadMs ?? 0) <= this.#options.allowed
  }
}

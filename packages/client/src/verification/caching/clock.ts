import { pause } from '../../pause.ts'

/** The clocks of a machine, milliseconds. */
export interface Clock {
  /** Never goes back, and may stand still while the machine sleeps. */
  monotonicMs(): number
  /** Since 1970; may be set to anything. */
  wallMs(): number
  /** Waits; throws the reason of the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>
}

export const SYSTEM_CLOCK: Clock = Object.freeze({
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  pause: (ms: number, signal: AbortSignal) => pause(ms, signal),
})

/** What both clocks showed. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

/**
 * Reads the clocks of a machine that may sleep, and whose wall clock may be set.
 * What it says is of its latest reading, because a reading takes as long as all
 * the rest of a look into memory.
 */
export class Timekeeper {
  readonly #clock: Clock
  #monotonicMs = 0
  #wallMs = 0
  /** How far the wall clock was ahead of the monotonic one, at most. */
  #leadMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  read(): this {
    this.#monotonicMs = this.#clock.monotonicMs()
    this.#wallMs = this.#clock.wallMs()
    this.#leadMs = Math.max(this.#leadMs, this.#wallMs - this.#monotonicMs)
    return this
  }

  get moment(): Moment {
    return { monotonicMs: this.#monotonicMs, wallMs: this.#wallMs }
  }

  /** Milliseconds since a moment, by the clock that went further. */
  since({ monotonicMs, wallMs }: Moment): number {
    return Math.max(this.#monotonicMs - monotonicMs, this.#wallMs - wallMs)
  }

  /**
   * Milliseconds since 1970, never less than before: the wall clock's or, where
   * that is further, any earlier reading of the wall clock plus what the monotonic
   * clock counted since.
   */
  get timeMs(): number {
    return this.#monotonicMs + this.#leadMs
  }
}

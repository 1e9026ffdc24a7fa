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
 *
 * Its time never goes back: it is the wall clock's or, where that is further, any
 * earlier reading of the wall clock plus what the monotonic clock counted since.
 */
export class Timekeeper {
  readonly #clock: Clock
  /** How far the wall clock was ahead of the monotonic one, at most. */
  #leadMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  moment(): Moment {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() }
  }

  /** Milliseconds since a moment, by the clock that went further. */
  since({ monotonicMs, wallMs }: Moment): number {
    return Math.max(this.#clock.monotonicMs() - monotonicMs, this.#clock.wallMs() - wallMs)
  }

  /** Milliseconds since 1970, never less than before. */
  timeMs(): number {
    const monotonicMs = this.#clock.monotonicMs()
    const leadMs = this.#clock.wallMs() - monotonicMs
    if (leadMs > this.#leadMs) this.#leadMs = leadMs
    return monotonicMs + this.#leadMs
  }
}

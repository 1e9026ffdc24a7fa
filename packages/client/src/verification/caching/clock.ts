import { pause } from '../../pause.ts'
import { LEEWAY_MS } from './facts.ts'

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

/** How the wall clock has gone since it fell behind an earlier reading. */
interface Behind {
  /** When that was seen, by the monotonic clock. */
  readonly sinceMs: number
  /** How far it was ahead of the monotonic clock since, at most. */
  leadMs: number
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
  /** `null`: it is not behind an earlier reading by more than the leeway. */
  #behind: Behind | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  read(): this {
    this.#monotonicMs = this.#clock.monotonicMs()
    this.#wallMs = this.#clock.wallMs()
    const leadMs = this.#wallMs - this.#monotonicMs
    this.#leadMs = Math.max(this.#leadMs, leadMs)
    if (leadMs >= this.#leadMs - LEEWAY_MS) this.#behind = null
    else if (this.#behind === null) this.#behind = { sinceMs: this.#monotonicMs, leadMs }
    else this.#behind.leadMs = Math.max(this.#behind.leadMs, leadMs)
    return this
  }

  /**
   * Whether the wall clock has been behind an earlier reading by more than the
   * leeway for longer than the leeway: it was ahead then, and was set right.
   */
  get wasAhead(): boolean {
    return this.#behind !== null && this.#monotonicMs - this.#behind.sinceMs > LEEWAY_MS
  }

  /**
   * Believes a wall clock that was ahead as it is now: time goes back. Nothing may
   * be left that was kept or forgotten by the time before.
   */
  setRight(): void {
    if (this.#behind === null || !this.wasAhead) return
    this.#leadMs = this.#behind.leadMs
    this.#behind = null
  }

  get moment(): Moment {
    return { monotonicMs: this.#monotonicMs, wallMs: this.#wallMs }
  }

  /** Milliseconds since a moment, by the clock that went further. */
  since({ monotonicMs, wallMs }: Moment): number {
    return Math.max(this.#monotonicMs - monotonicMs, this.#wallMs - wallMs)
  }

  /**
   * Milliseconds since 1970, never less than before but for `setRight`: the wall
   * clock's or, where that is further, any earlier reading of the wall clock plus
   * what the monotonic clock counted since.
   */
  get timeMs(): number {
    return this.#monotonicMs + this.#leadMs
  }
}

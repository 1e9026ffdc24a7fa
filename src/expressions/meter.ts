/** Beyond this many steps an evaluation ends, which takes it a few milliseconds at the worst. */
export const MOST_STEPS = 5_000
/** Elements that a comprehension goes through. */
export const MOST_ELEMENTS = 256
/** In UTF-16 code units: no text that an expression makes is longer. */
export const LONGEST_TEXT = 16_384
/** A step handles so many characters. */
const CHARACTERS_OF_STEP = 64

/** Made once: an error that is made in each step would cost more than the steps. */
const TOO_COSTLY = 'takes more steps than an evaluation may'

/** Counts what an evaluation costs. What it refuses stays refused, also where `||` would overlook an error. */
export class Meter {
  #left = 0
  #exceeded = false

  start(): void {
    this.#left = MOST_STEPS
    this.#exceeded = false
  }

  /** Whether the evaluation since `start` was refused for its cost; its value means nothing then. */
  get exceeded(): boolean {
    return this.#exceeded
  }

  charge(steps: number): void {
    this.#left -= steps
    if (this.#left >= 0) return
    this.#exceeded = true
    throw new Error(TOO_COSTLY)
  }

  chargeText(length: number): void {
    this.charge(1 + Math.floor(length / CHARACTERS_OF_STEP))
  }
}

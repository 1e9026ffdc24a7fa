/** Beyond this many steps an evaluation ends, which takes it a few milliseconds at the worst. */
export const MOST_STEPS = 5_000
/** Elements that a comprehension goes through. */
export const MOST_ELEMENTS = 256
/** In UTF-16 code units: no text that an expression makes is longer. */
export const LONGEST_TEXT = 16_384
/** A step handles so many characters. */
const CHARACTERS_OF_STEP = 64

const TOO_COSTLY = 'takes more steps than an evaluation may'

/** Counts what an evaluation costs. */
export class Meter {
  #left = 0

  start(): void {
    this.#left = MOST_STEPS
  }

  /** @throws Error when the steps since `start` are too many, and from then on whenever it is called. */
  charge(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new Error(TOO_COSTLY)
  }

  chargeText(length: number): void {
    this.charge(1 + Math.floor(length / CHARACTERS_OF_STEP))
  }
}

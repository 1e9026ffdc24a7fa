/** An evaluation ends beyond this number of steps. It takes a few milliseconds at worst. */
export const MOST_STEPS = 5_000
/** The maximum number of elements that a comprehension iterates over. */
export const MOST_ELEMENTS = 256
/** The maximum length of a text that an expression creates, in UTF-16 code units. */
export const LONGEST_TEXT = 16_384
/** The number of characters that one step processes. */
const CHARACTERS_OF_STEP = 64

const TOO_COSTLY = 'exceeds the step limit of an evaluation'

/** Counts the cost of an evaluation. */
export class Meter {
  #left = 0

  start(): void {
    this.#left = MOST_STEPS
  }

  /** @throws Error if there are too many steps since `start`, and on every call after that. */
  charge(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new Error(TOO_COSTLY)
  }

  chargeText(length: number): void {
    this.charge(1 + Math.floor(length / CHARACTERS_OF_STEP))
  }
}

/** A worker that has served so long is sound: what ends it later is not what ended those before. */
export const SOUND_AFTER_MS = 10_000
/** So many in a row may end before they are sound; then, if no other worker is sound, something is wrong with all of them. */
const MOST_SHORT_LIVES = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000

/** Decides about the successors of one worker. */
export class Restarts {
  #shortLives = 0

  /** Notes that a worker ended which had served for so long; 0: it never did. */
  ended(servedMs: number): void {
    this.#shortLives = servedMs >= SOUND_AFTER_MS ? 0 : this.#shortLives + 1
  }

  /** Whether trying on helps nobody. */
  isCrashLoop(othersAreSound: boolean): boolean {
    return this.#shortLives > MOST_SHORT_LIVES && !othersAreSound
  }

  /** How long the next one waits: the first not at all, each other twice as long as the one before. */
  delayMs(): number {
    if (this.#shortLives <= 1) return 0
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#shortLives - 2))
  }
}

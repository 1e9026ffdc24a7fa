/** A worker that has served so long is stable: what ends it later is not what ended the workers before it. */
export const STABLE_AFTER_MS = 10_000
/** So many in a row may end before they are stable; then, if no other worker is stable, something is wrong with all of them. */
const MAX_SHORT_RUNS = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000

/** Decides when a worker that ended is replaced, and when no more. */
export class RestartPolicy {
  #shortRuns = 0

  /** Records that a worker ended which had served for so long; 0: it never did. */
  recordExit(servedMs: number): void {
    this.#shortRuns = servedMs >= STABLE_AFTER_MS ? 0 : this.#shortRuns + 1
  }

  /** Whether workers end as fast as they are replaced, so that replacing them is useless. */
  isCrashLoop(othersAreStable: boolean): boolean {
    return this.#shortRuns > MAX_SHORT_RUNS && !othersAreStable
  }

  /** How long the next one waits: the first not at all, each other twice as long as the one before. */
  delayMs(): number {
    if (this.#shortRuns <= 1) return 0
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#shortRuns - 2))
  }
}

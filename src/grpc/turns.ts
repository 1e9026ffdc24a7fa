/** So many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const AT_ONCE = 32
/** So many while others call too: what one of them waits for is then the work of a few calls, not of all. */
const AT_ONCE_BESIDE_OTHERS = 8
/** Others count for so long after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000

interface Line {
  running: number
  readonly waiting: (() => void)[]
}

/**
 * Lets each caller run a number of calls at once, and keeps the rest of theirs
 * in line: who floods the server waits for themselves. Nobody is refused for it.
 */
export class Turns {
  readonly #lines = new Map<string, Line>()
  readonly #now: () => number
  #sharedUntil = 0

  /** `now` in milliseconds, from a clock that is never put back. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** `null`: it may run at once. Each call that was let in says `leave` in the end. */
  enter(caller: string): Promise<void> | null {
    const line = this.#lineOf(caller)
    if (this.#lines.size > 1) this.#sharedUntil = this.#now() + OTHERS_COUNT_MS
    if (line.waiting.length === 0 && line.running < this.#most()) {
      line.running += 1
      return null
    }
    return new Promise((resolve) => line.waiting.push(resolve))
  }

  leave(caller: string): void {
    const line = this.#lineOf(caller)
    line.running -= 1
    for (const most = this.#most(); line.running < most; ) {
      const next = line.waiting.shift()
      if (next === undefined) break
      line.running += 1
      next()
    }
    if (line.running === 0) this.#lines.delete(caller)
  }

  #most(): number {
    return this.#now() < this.#sharedUntil ? AT_ONCE_BESIDE_OTHERS : AT_ONCE
  }

  #lineOf(caller: string): Line {
    const known = this.#lines.get(caller)
    if (known !== undefined) return known
    const fresh = { running: 0, waiting: [] }
    this.#lines.set(caller, fresh)
    return fresh
  }
}

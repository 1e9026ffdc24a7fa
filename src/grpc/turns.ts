/** So many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const AT_ONCE = 32
/** So many while others call too: what one of them waits for is then the work of a few calls, not of all. */
const AT_ONCE_BESIDE_OTHERS = 4
/** Others count for so long after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000
/** So many may stand in a line before it is looked through for those that nobody waits for any more. */
const LOOKED_THROUGH_FROM = 1_000

interface Waiter {
  readonly isAbandoned: () => boolean
  readonly settle: (isIn: boolean) => void
}

interface Line {
  running: number
  /** First come, first served. */
  readonly waiting: Set<Waiter>
  lookThroughAt: number
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

  /**
   * `null`: it may run at once; else `true` once it may, or `false` if it was
   * abandoned while it stood in line. Each call that was let in says `leave` in the end.
   */
  enter(caller: string, isAbandoned: () => boolean): Promise<boolean> | null {
    const line = this.#lineOf(caller)
    if (this.#lines.size > 1) this.#sharedUntil = this.#now() + OTHERS_COUNT_MS
    if (line.waiting.size === 0 && line.running < this.#most()) {
      line.running += 1
      return null
    }
    if (line.waiting.size >= line.lookThroughAt) lookThrough(line)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    line.waiting.add({ isAbandoned, settle: resolve })
    return promise
  }

  leave(caller: string): void {
    const line = this.#lineOf(caller)
    line.running -= 1
    const most = this.#most()
    for (const waiter of line.waiting) {
      if (line.running >= most) break
      line.waiting.delete(waiter)
      const isIn = !waiter.isAbandoned()
      if (isIn) line.running += 1
      waiter.settle(isIn)
    }
    if (line.running === 0) this.#lines.delete(caller)
  }

  #most(): number {
    return this.#now() < this.#sharedUntil ? AT_ONCE_BESIDE_OTHERS : AT_ONCE
  }

  #lineOf(caller: string): Line {
    const known = this.#lines.get(caller)
    if (known !== undefined) return known
    const fresh = { running: 0, waiting: new Set<Waiter>(), lookThroughAt: LOOKED_THROUGH_FROM }
    this.#lines.set(caller, fresh)
    return fresh
  }
}

/**
 * Calls that are cancelled as soon as they are made must not pile up, with their
 * messages, behind a few that run for long. Looked through again only when the
 * line has doubled, so that each call is looked at a few times at the most.
 */
function lookThrough(line: Line): void {
  for (const waiter of line.waiting) {
    if (!waiter.isAbandoned()) continue
    line.waiting.delete(waiter)
    waiter.settle(false)
  }
  line.lookThroughAt = Math.max(LOOKED_THROUGH_FROM, line.waiting.size * 2)
}

/** So many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const AT_ONCE = 32
/** So many while others call too: what one of them waits for is then the work of a few calls, not of all. */
const AT_ONCE_BESIDE_OTHERS = 4
/** Others count for so long after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000
/** So many may stand in a line before it is looked through for those that nobody waits for any more. */
const LOOKED_THROUGH_FROM = 1_000
/** What may wait in all lines together, in bytes of encoded messages: parsed ones take a few times as much. */
const MOST_WAITING_BYTES = 128 * 1024 * 1024
/** One line never takes all of it. */
const MOST_OF_ONE_LINE = MOST_WAITING_BYTES / 2
/** A call holds some memory, whatever its message. */
const BYTES_OF_A_CALL = 4 * 1024
/** So many things that a call asks for are as much work as a call of its own. */
const ITEMS_OF_A_TURN = 8

/** What a call brings. */
export interface CallSize {
  /** Of its message as it was encoded. */
  readonly bytes: number
  /** How many things it asks for at once, beside the call itself. */
  readonly items: number
}

interface Waiter {
  readonly bytes: number
  readonly turns: number
  readonly isAbandoned: () => boolean
  readonly settle: (turn: Turn) => void
}

interface Line {
  /** What runs, in turns: most calls take one. */
  running: number
  /** First come, first served. */
  readonly waiting: Set<Waiter>
  waitingBytes: number
  lookThroughAt: number
}

/** What comes of a call: it may run, was abandoned while it waited, or finds no room to wait. */
export type Turn = 'in' | 'gone' | 'full'

/**
 * Lets each caller run a number of calls at once, and keeps the rest of theirs
 * in line: who floods the server waits for themselves. Nobody is refused for it,
 * as long as what waits fits into memory. A call for many things takes the place
 * of several, or runs alone.
 */
export class Turns {
  readonly #lines = new Map<string, Line>()
  readonly #now: () => number
  #sharedUntil = 0
  #waitingBytes = 0

  /** `now` in milliseconds, from a clock that is never put back. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Each call that was let in says `leave` in the end, with the same size. */
  enter(caller: string, size: CallSize, isAbandoned: () => boolean): Promise<Turn> | Exclude<Turn, 'gone'> {
    const line = this.#lineOf(caller)
    if (this.#lines.size > 1) this.#sharedUntil = this.#now() + OTHERS_COUNT_MS
    const turns = turnsOf(size)
    if (line.waiting.size === 0 && hasTurns(line, turns, this.#most())) {
      line.running += turns
      return 'in'
    }
    const bytes = size.bytes + BYTES_OF_A_CALL
    if (line.waiting.size >= line.lookThroughAt || !this.#hasRoom(line, bytes)) this.#lookThrough(line)
    if (!this.#hasRoom(line, bytes)) return 'full'
    const { promise, resolve } = Promise.withResolvers<Turn>()
    line.waiting.add({ bytes, turns, isAbandoned, settle: resolve })
    line.waitingBytes += bytes
    this.#waitingBytes += bytes
    return promise
  }

  leave(caller: string, size: CallSize): void {
    const line = this.#lineOf(caller)
    line.running -= turnsOf(size)
    const most = this.#most()
    for (const waiter of line.waiting) {
      if (!hasTurns(line, waiter.turns, most)) break
      const isIn = !waiter.isAbandoned()
      if (isIn) line.running += waiter.turns
      this.#dismiss(line, waiter, isIn ? 'in' : 'gone')
    }
    if (line.running === 0) this.#lines.delete(caller)
  }

  #most(): number {
    return this.#now() < this.#sharedUntil ? AT_ONCE_BESIDE_OTHERS : AT_ONCE
  }

  #hasRoom(line: Line, bytes: number): boolean {
    return line.waitingBytes + bytes <= MOST_OF_ONE_LINE && this.#waitingBytes + bytes <= MOST_WAITING_BYTES
  }

  /**
   * Calls that are cancelled as soon as they are made must not pile up, with their
   * messages, behind a few that run for long. Looked through again only when the
   * line has doubled, so that each call is looked at a few times at the most.
   */
  #lookThrough(line: Line): void {
    for (const waiter of line.waiting) if (waiter.isAbandoned()) this.#dismiss(line, waiter, 'gone')
    line.lookThroughAt = Math.max(LOOKED_THROUGH_FROM, line.waiting.size * 2)
  }

  #dismiss(line: Line, waiter: Waiter, turn: Turn): void {
    line.waiting.delete(waiter)
    line.waitingBytes -= waiter.bytes
    this.#waitingBytes -= waiter.bytes
    waiter.settle(turn)
  }

  #lineOf(caller: string): Line {
    const known = this.#lines.get(caller)
    if (known !== undefined) return known
    const fresh = { running: 0, waiting: new Set<Waiter>(), waitingBytes: 0, lookThroughAt: LOOKED_THROUGH_FROM }
    this.#lines.set(caller, fresh)
    return fresh
  }
}

function turnsOf({ items }: CallSize): number {
  return 1 + Math.floor(items / ITEMS_OF_A_TURN)
}

/** Whoever runs nothing may begin anything. */
function hasTurns({ running }: Line, turns: number, most: number): boolean {
  return running === 0 || running + turns <= most
}

/** So many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const AT_ONCE = 32
/** So many while others call too: what one of them waits for is then the work of a few calls, not of all. */
const AT_ONCE_BESIDE_OTHERS = 4
/** So many callers are remembered as proven; beyond that the longest unused is forgotten, and proves itself anew. */
const MAX_PROVEN = 10_000
/** Others count for so long after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000
/** So many may stand in a line before it is looked through for those that nobody waits for any more. */
const LOOKED_THROUGH_FROM = 1_000
/** What may wait in all lines together, in bytes of encoded messages: parsed ones take a few times as much. */
const MOST_WAITING_BYTES = 128 * 1024 * 1024
/** One line never takes all of it. */
const MOST_OF_ONE_LINE = MOST_WAITING_BYTES / 2
/** Those who have proved nothing have less, at one address and together. */
const MOST_OF_UNPROVEN_LINE = 16 * 1024 * 1024
const MOST_OF_UNPROVEN = 2 * MOST_OF_UNPROVEN_LINE
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

/** Callers who wait for each other. */
export interface Line {
  readonly name: string
  /** Of one caller, who has proved to be who it says; else of all the others at an address. */
  readonly isProven: boolean
  /** One of its calls has proved its caller since it was empty: others may be told to hold back. */
  counts: boolean
  /** What runs, in turns: most calls take one. */
  running: number
  /** First come, first served. */
  readonly waiting: Set<Waiter>
  waitingBytes: number
  lookThroughAt: number
}

/** A call that may run: in whose line, and how much of it. */
export interface CallTurn {
  /** Who says to be calling, and can show it. */
  readonly caller: string | null
  readonly line: Line
  readonly size: CallSize
}

/** What comes of a call: it may run, was abandoned while it waited, or finds no room to wait. */
export type Turn = 'in' | 'gone' | 'full'

/**
 * Lets each caller run a number of calls at once, and keeps the rest of theirs
 * in line: who floods the server waits for themselves. Nobody is refused for it,
 * as long as what waits fits into memory. A call for many things takes the place
 * of several, or runs alone.
 *
 * Anybody can claim to be somebody, and somebody else with the next call. So a
 * caller has a line of its own only once it has proved who it is; until then it
 * shares the turns of its address, which are few while anybody else calls. And
 * only a call that was proved makes those hold back who have proved themselves.
 */
export class Turns {
  readonly #lines = new Map<string, Line>()
  /** By address. */
  readonly #unproven = new Map<string, Line>()
  /** The longest unused one first. */
  readonly #proven = new Set<string>()
  readonly #now: () => number
  #counting = 0
  #provenUntil = 0
  #sharedUntil = 0
  #waitingBytes = 0
  #unprovenBytes = 0

  /** `now` in milliseconds, from a clock that is never put back. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Where a call waits. `caller`: who it says it is; `null`: it does not say, or nothing shows it. */
  lineOf(caller: string | null, address: string): Line {
    const isProven = caller !== null && this.#proven.has(caller)
    const name = isProven ? caller : address
    const lines = isProven ? this.#lines : this.#unproven
    const known = lines.get(name)
    if (known !== undefined) return known
    const fresh: Line = {
      name,
      isProven,
      counts: false,
      running: 0,
      waiting: new Set<Waiter>(),
      waitingBytes: 0,
      lookThroughAt: LOOKED_THROUGH_FROM,
    }
    lines.set(name, fresh)
    return fresh
  }

  /** Each call that was let in says `leave` in the end, with the same size. */
  enter(line: Line, size: CallSize, isAbandoned: () => boolean): Promise<Turn> | Exclude<Turn, 'gone'> {
    const turns = turnsOf(size)
    if (line.waiting.size === 0 && this.#hasTurns(line, turns)) {
      line.running += turns
      return 'in'
    }
    const bytes = size.bytes + BYTES_OF_A_CALL
    if (line.waiting.size >= line.lookThroughAt || !this.#hasRoom(line, bytes)) this.#lookThrough(line)
    if (!this.#hasRoom(line, bytes)) return 'full'
    const { promise, resolve } = Promise.withResolvers<Turn>()
    line.waiting.add({ bytes, turns, isAbandoned, settle: resolve })
    this.#holdBytes(line, bytes)
    return promise
  }

  /** A call that has its turn in this line turned out to be the caller's. */
  proved(caller: string, line: Line): void {
    this.#proven.delete(caller)
    this.#proven.add(caller)
    const [oldest] = this.#proven
    if (this.#proven.size > MAX_PROVEN && oldest !== undefined) this.#proven.delete(oldest)
    this.#provenUntil = this.#now() + OTHERS_COUNT_MS
    if (!line.isProven) return
    if (!line.counts) {
      line.counts = true
      this.#counting += 1
    }
    if (this.#counting > 1) this.#sharedUntil = this.#provenUntil
  }

  leave(line: Line, size: CallSize): void {
    line.running -= turnsOf(size)
    for (const waiter of line.waiting) {
      if (!this.#hasTurns(line, waiter.turns)) break
      const isIn = !waiter.isAbandoned()
      if (isIn) line.running += waiter.turns
      this.#dismiss(line, waiter, isIn ? 'in' : 'gone')
    }
    if (line.running > 0) return
    const lines = line.isProven ? this.#lines : this.#unproven
    lines.delete(line.name)
    if (line.counts) this.#counting -= 1
    line.counts = false
  }

  /** Whoever runs nothing may begin anything. The clock is read only where it matters. */
  #hasTurns(line: Line, turns: number): boolean {
    const running = line.running + turns
    return line.running === 0 || running <= AT_ONCE_BESIDE_OTHERS || running <= this.#mostOf(line)
  }

  #mostOf({ isProven }: Line): number {
    const othersUntil = isProven ? this.#sharedUntil : this.#provenUntil
    const isAlone = this.#now() >= othersUntil && (isProven || this.#unproven.size === 1)
    return isAlone ? AT_ONCE : AT_ONCE_BESIDE_OTHERS
  }

  #hasRoom(line: Line, bytes: number): boolean {
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES) return false
    if (line.isProven) return line.waitingBytes + bytes <= MOST_OF_ONE_LINE
    return line.waitingBytes + bytes <= MOST_OF_UNPROVEN_LINE && this.#unprovenBytes + bytes <= MOST_OF_UNPROVEN
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
    this.#holdBytes(line, -waiter.bytes)
    waiter.settle(turn)
  }

  #holdBytes(line: Line, bytes: number): void {
    line.waitingBytes += bytes
    this.#waitingBytes += bytes
    if (!line.isProven) this.#unprovenBytes += bytes
  }
}

function turnsOf({ items }: CallSize): number {
  return 1 + Math.floor(items / ITEMS_OF_A_TURN)
}

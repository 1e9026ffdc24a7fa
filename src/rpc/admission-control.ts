/** So many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const AT_ONCE = 32
/** So many while others call too: what one of them waits for is then the work of a few calls, not of all. */
const AT_ONCE_BESIDE_OTHERS = 4
/** So many callers are remembered as proven; beyond that the longest unused is forgotten, and proves itself anew. */
const MAX_PROVEN = 10_000
/** Others count for so long after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000
/** So many may stand in a queue before it is looked through for those that nobody waits for any more. */
const SWEPT_FROM = 1_000
/** What may wait in all queues together, in bytes of encoded messages: parsed ones take a few times as much. */
const MOST_WAITING_BYTES = 128 * 1024 * 1024
/** One queue never takes all of it. */
const MOST_OF_ONE_QUEUE = MOST_WAITING_BYTES / 2
/** Those who have proved nothing have less, at one address and together. */
const MOST_OF_UNPROVEN_QUEUE = 16 * 1024 * 1024
const MOST_OF_UNPROVEN = 2 * MOST_OF_UNPROVEN_QUEUE
/** A call holds some memory, whatever its message. */
const BYTES_OF_A_CALL = 4 * 1024
/** So many things that a call asks for are as much work as a call of its own. */
const ITEMS_OF_A_SLOT = 8

/** What a call brings. */
export interface CallCost {
  /** Of its message as it was encoded. */
  readonly bytes: number
  /** How many things it asks for at once, beside the call itself. */
  readonly items: number
}

interface Waiter {
  readonly bytes: number
  readonly slots: number
  readonly isAbandoned: () => boolean
  readonly settle: (admission: Admission) => void
}

/** Callers who wait for each other. */
export interface CallerQueue {
  readonly name: string
  /** Of one caller, who has proved to be who it says; else of all the others at an address. */
  readonly isProven: boolean
  /** One of its calls has proved its caller since it was empty: others may be told to hold back. */
  counts: boolean
  /** What runs, in slots: most calls take one. */
  running: number
  /** First come, first served. */
  readonly waiting: Set<Waiter>
  waitingBytes: number
  sweepAt: number
}

/** A call that may run: in whose queue, and how much of it. */
export interface AdmittedCall {
  /** Who says to be calling, and can show it. */
  readonly caller: string | null
  readonly queue: CallerQueue
  readonly size: CallCost
}

/** What comes of a call: it may run, was abandoned while it waited, or finds no room to wait. */
export type Admission = 'in' | 'gone' | 'full'

/**
 * Lets each caller run a number of calls at once, and keeps the rest of theirs
 * in a queue: who floods the server waits for themselves. Nobody is refused for it,
 * as long as what waits fits into memory. A call for many things takes the place
 * of several, or runs alone.
 *
 * Anybody can claim to be somebody, and somebody else with the next call. So a
 * caller has a queue of its own only once it has proved who it is; until then it
 * shares the slots of its address, which are few while anybody else calls. And
 * only a call that was proved makes those hold back who have proved themselves.
 */
export class AdmissionControl {
  readonly #queues = new Map<string, CallerQueue>()
  /** By address. */
  readonly #unproven = new Map<string, CallerQueue>()
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
  queueOf(caller: string | null, address: string): CallerQueue {
    const isProven = caller !== null && this.#proven.has(caller)
    const name = isProven ? caller : address
    const queues = isProven ? this.#queues : this.#unproven
    const known = queues.get(name)
    if (known !== undefined) return known
    const fresh: CallerQueue = {
      name,
      isProven,
      counts: false,
      running: 0,
      waiting: new Set<Waiter>(),
      waitingBytes: 0,
      sweepAt: SWEPT_FROM,
    }
    queues.set(name, fresh)
    return fresh
  }

  /** Each call that was let in is released in the end, with the same size. */
  admit(
    queue: CallerQueue,
    size: CallCost,
    isAbandoned: () => boolean,
  ): Promise<Admission> | Exclude<Admission, 'gone'> {
    const slots = slotsOf(size)
    if (queue.waiting.size === 0 && this.#hasSlots(queue, slots)) {
      queue.running += slots
      return 'in'
    }
    const bytes = size.bytes + BYTES_OF_A_CALL
    if (queue.waiting.size >= queue.sweepAt || !this.#hasRoom(queue, bytes)) this.#dropAbandoned(queue)
    if (!this.#hasRoom(queue, bytes)) return 'full'
    const { promise, resolve } = Promise.withResolvers<Admission>()
    queue.waiting.add({ bytes, slots, isAbandoned, settle: resolve })
    this.#holdBytes(queue, bytes)
    return promise
  }

  /** A call that was admitted in this queue turned out to be the caller's. */
  proved(caller: string, queue: CallerQueue): void {
    this.#proven.delete(caller)
    this.#proven.add(caller)
    const [oldest] = this.#proven
    if (this.#proven.size > MAX_PROVEN && oldest !== undefined) this.#proven.delete(oldest)
    this.#provenUntil = this.#now() + OTHERS_COUNT_MS
    if (!queue.isProven) return
    if (!queue.counts) {
      queue.counts = true
      this.#counting += 1
    }
    if (this.#counting > 1) this.#sharedUntil = this.#provenUntil
  }

  release(queue: CallerQueue, size: CallCost): void {
    queue.running -= slotsOf(size)
    for (const waiter of queue.waiting) {
      if (!this.#hasSlots(queue, waiter.slots)) break
      const isIn = !waiter.isAbandoned()
      if (isIn) queue.running += waiter.slots
      this.#dismiss(queue, waiter, isIn ? 'in' : 'gone')
    }
    if (queue.running > 0) return
    const queues = queue.isProven ? this.#queues : this.#unproven
    queues.delete(queue.name)
    if (queue.counts) this.#counting -= 1
    queue.counts = false
  }

  /** Whoever runs nothing may begin anything. The clock is read only where it matters. */
  #hasSlots(queue: CallerQueue, slots: number): boolean {
    const running = queue.running + slots
    return queue.running === 0 || running <= AT_ONCE_BESIDE_OTHERS || running <= this.#mostOf(queue)
  }

  #mostOf({ isProven }: CallerQueue): number {
    const othersUntil = isProven ? this.#sharedUntil : this.#provenUntil
    const isAlone = this.#now() >= othersUntil && (isProven || this.#unproven.size === 1)
    return isAlone ? AT_ONCE : AT_ONCE_BESIDE_OTHERS
  }

  #hasRoom(queue: CallerQueue, bytes: number): boolean {
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES) return false
    if (queue.isProven) return queue.waitingBytes + bytes <= MOST_OF_ONE_QUEUE
    return queue.waitingBytes + bytes <= MOST_OF_UNPROVEN_QUEUE && this.#unprovenBytes + bytes <= MOST_OF_UNPROVEN
  }

  /**
   * Calls that are cancelled as soon as they are made must not pile up, with their
   * messages, behind a few that run for long. Looked through again only when the
   * queue has doubled, so that each call is looked at a few times at the most.
   */
  #dropAbandoned(queue: CallerQueue): void {
    for (const waiter of queue.waiting) if (waiter.isAbandoned()) this.#dismiss(queue, waiter, 'gone')
    queue.sweepAt = Math.max(SWEPT_FROM, queue.waiting.size * 2)
  }

  #dismiss(queue: CallerQueue, waiter: Waiter, admission: Admission): void {
    queue.waiting.delete(waiter)
    this.#holdBytes(queue, -waiter.bytes)
    waiter.settle(admission)
  }

  #holdBytes(queue: CallerQueue, bytes: number): void {
    queue.waitingBytes += bytes
    this.#waitingBytes += bytes
    if (!queue.isProven) this.#unprovenBytes += bytes
  }
}

function slotsOf({ items }: CallCost): number {
  return 1 + Math.floor(items / ITEMS_OF_A_SLOT)
}

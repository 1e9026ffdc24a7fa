import { BoundedMap } from '../bounded-map.ts'

/** How many calls of one caller run at once while nobody else calls: enough to fill a batch of the database. */
const MAX_RUNNING = 32
/** The same while others call too: each of them then waits for the work of a few calls, not of all. */
const MAX_RUNNING_BESIDE_OTHERS = 4
/** How many callers are remembered as proven; beyond that the longest unused is forgotten, and proves itself again. */
const MAX_PROVEN = 10_000
/** How long others count after they called: most callers wait for one answer before they ask again. */
const OTHERS_COUNT_MS = 1_000
/** The length of a queue from which abandoned calls are removed from it. */
const SWEPT_FROM = 1_000
/** What may wait in all queues together, in bytes of encoded messages: parsed ones take a few times as much. */
const MAX_WAITING_BYTES = 128 * 1024 * 1024
/** What may wait in one queue. */
const MAX_QUEUE_BYTES = MAX_WAITING_BYTES / 2
/** Unproven callers have less, at one address and together. */
const MAX_UNPROVEN_QUEUE_BYTES = 16 * 1024 * 1024
const MAX_UNPROVEN_BYTES = 2 * MAX_UNPROVEN_QUEUE_BYTES
/** A call holds some memory, whatever its message. */
const CALL_OVERHEAD_BYTES = 4 * 1024
/** How many items that a call asks for are as much work as a call of its own. */
const ITEMS_PER_SLOT = 8

/** What a call brings. */
export interface CallCost {
  /** Of its message as it was encoded. */
  readonly bytes: number
  /** How many items it asks for. */
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
  readonly control: AdmissionControl
  /** Who says to be calling, and can show it. */
  readonly caller: string | null
  readonly queue: CallerQueue
  readonly size: CallCost
}

/** What becomes of a call: it may run, was abandoned while it waited, or finds no room to wait. */
export type Admission = 'admitted' | 'abandoned' | 'full'

/**
 * Lets each caller run a number of calls at once, and keeps the rest of its calls in
 * a queue: whoever floods the server waits only for itself. Nobody is refused, as long
 * as what waits fits into memory. A call for many items takes several slots, or runs
 * alone.
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
  readonly #proven = new BoundedMap<string, true>(MAX_PROVEN)
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
  ): Promise<Admission> | Exclude<Admission, 'abandoned'> {
    const slots = slotsOf(size)
    if (queue.waiting.size === 0 && this.#hasSlots(queue, slots)) {
      queue.running += slots
      return 'admitted'
    }
    const bytes = size.bytes + CALL_OVERHEAD_BYTES
    if (queue.waiting.size >= queue.sweepAt || !this.#hasRoom(queue, bytes)) this.#dropAbandoned(queue)
    if (!this.#hasRoom(queue, bytes)) return 'full'
    const { promise, resolve } = Promise.withResolvers<Admission>()
    queue.waiting.add({ bytes, slots, isAbandoned, settle: resolve })
    this.#holdBytes(queue, bytes)
    return promise
  }

  /** A call that was admitted in this queue was authenticated as the caller's. */
  proved(caller: string, queue: CallerQueue): void {
    this.#proven.set(caller, true)
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
      const isWanted = !waiter.isAbandoned()
      if (isWanted) queue.running += waiter.slots
      this.#settle(queue, waiter, isWanted ? 'admitted' : 'abandoned')
    }
    if (queue.running > 0) return
    const queues = queue.isProven ? this.#queues : this.#unproven
    queues.delete(queue.name)
    if (queue.counts) this.#counting -= 1
    queue.counts = false
  }

  /** A queue that runs nothing may start anything. The clock is read only where it matters. */
  #hasSlots(queue: CallerQueue, slots: number): boolean {
    const running = queue.running + slots
    return queue.running === 0 || running <= MAX_RUNNING_BESIDE_OTHERS || running <= this.#limitOf(queue)
  }

  #limitOf({ isProven }: CallerQueue): number {
    const othersUntil = isProven ? this.#sharedUntil : this.#provenUntil
    const isAlone = this.#now() >= othersUntil && (isProven || this.#unproven.size === 1)
    return isAlone ? MAX_RUNNING : MAX_RUNNING_BESIDE_OTHERS
  }

  #hasRoom(queue: CallerQueue, bytes: number): boolean {
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) return false
    if (queue.isProven) return queue.waitingBytes + bytes <= MAX_QUEUE_BYTES
    return queue.waitingBytes + bytes <= MAX_UNPROVEN_QUEUE_BYTES && this.#unprovenBytes + bytes <= MAX_UNPROVEN_BYTES
  }

  /**
   * Calls that are cancelled as soon as they are made must not pile up, with their
   * messages, behind a few that run for long. The queue is swept again only when it
   * has doubled, so that each call is looked at a few times at the most.
   */
  #dropAbandoned(queue: CallerQueue): void {
    for (const waiter of queue.waiting) if (waiter.isAbandoned()) this.#settle(queue, waiter, 'abandoned')
    queue.sweepAt = Math.max(SWEPT_FROM, queue.waiting.size * 2)
  }

  #settle(queue: CallerQueue, waiter: Waiter, admission: Admission): void {
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
  return 1 + Math.floor(items / ITEMS_PER_SLOT)
}

import { BoundedMap } from '../bounded-map.ts'

/** How many calls of one caller may run at the same time while it is the only caller: enough to fill a database batch. */
const MAX_RUNNING = 32
/** The same limit while others call too, so that each caller waits for a few calls of the others, not for all. */
const MAX_RUNNING_BESIDE_OTHERS = 4
/** How many callers are remembered as authenticated. Beyond that, the least recently used one is dropped and authenticates again. */
const MAX_PROVEN = 10_000
/** How long a caller counts as active after its last call: most callers wait for one answer before the next call. */
const OTHERS_COUNT_MS = 1_000
/** The length of a queue from which abandoned calls are removed from it. */
const SWEPT_FROM = 1_000
/** The limit of all queues together, in bytes of encoded messages. Parsed messages take a few times as much. */
const MAX_WAITING_BYTES = 128 * 1024 * 1024
/** The limit of one queue, in the same unit. */
const MAX_QUEUE_BYTES = MAX_WAITING_BYTES / 2
/** The smaller limits of unauthenticated callers, per address and in total. */
const MAX_UNPROVEN_QUEUE_BYTES = 16 * 1024 * 1024
const MAX_UNPROVEN_BYTES = 2 * MAX_UNPROVEN_QUEUE_BYTES
/** The memory of a call in addition to its message. */
const CALL_OVERHEAD_BYTES = 4 * 1024
/** How many requested items count as much as one call. */
const ITEMS_PER_SLOT = 8

/** The size of a call. */
export interface CallCost {
  /** The bytes of its encoded message. */
  readonly bytes: number
  /** The number of items it requests. */
  readonly items: number
}

interface Waiter {
  readonly bytes: number
  readonly slots: number
  readonly isAbandoned: () => boolean
  readonly settle: (admission: Admission) => void
}

/** A queue of calls that share slots. */
export interface CallerQueue {
  readonly name: string
  /** Whether it belongs to one authenticated caller. Otherwise it is shared by the other callers of an address. */
  readonly isProven: boolean
  /** Whether a call of this queue was authenticated since the queue was last empty. Only then do others have to yield to it. */
  counts: boolean
  /** The slots in use. Most calls take one. */
  running: number
  /** First come, first served. */
  readonly waiting: Set<Waiter>
  waitingBytes: number
  sweepAt: number
}

/** An admitted call, with its queue and its slots. */
export interface AdmittedCall {
  readonly control: AdmissionControl
  /** The claimed caller; `null` if the call claims none, or carries no proof. */
  readonly caller: string | null
  readonly queue: CallerQueue
  readonly size: CallCost
}

/** The outcome for a call: it may run, was abandoned while it waited, or found the queue full. */
export type Admission = 'admitted' | 'abandoned' | 'full'

/**
 * Limits how many calls of each caller run at the same time, and queues the others, so
 * that a caller that floods the server delays only itself. A call is refused only if the
 * queues exceed their memory limit. A call for many items takes several slots, or runs
 * alone.
 *
 * A caller can claim any identity, and another one with each call. So a caller gets a
 * queue of its own only after it has authenticated. Until then it shares the slots of its
 * address, which are few while others call. Authenticated callers yield only to callers
 * who have authenticated too.
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

  /** `now`: a monotonic clock, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** The queue of a call. `caller` is the claimed identity; `null` if there is none, or if it carries no proof. */
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

  /** Admits a call or queues it. Each admitted call must be released once, with the same size. */
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

  /** Records that an admitted call of this queue was authenticated. */
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

  /** Whether a call may start. An idle queue may start any call. The clock is read only if it is needed. */
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
   * Removes cancelled calls, which would otherwise pile up with their messages behind a
   * few long calls. The queue is swept again only when its length has doubled, so each
   * call is examined a few times at most.
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

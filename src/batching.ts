interface Pending<Item, Answer> {
  readonly item: Item
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export interface MicroBatcherOptions<Item, Answer> {
  /** Sends a batch, and resolves with what answers each of its items. If it throws, all of them fail. */
  readonly send: (items: readonly Item[]) => Promise<(item: Item) => Answer>
  /** Decides when the first batch after a pause is sent, such as at the end of this turn of the event loop. */
  readonly schedule: (sendNow: () => void) => void
  /** More items than this go with the next batch. */
  readonly maxBatchSize: number
  /** More items than this do not wait. */
  readonly maxWaiting: number
}

/**
 * Sends what concurrent callers ask for in batches. One batch is under way at a
 * time; what arrives meanwhile makes up the next batch, which is sent when the one
 * before is back. It never waits for a fixed delay.
 */
export class MicroBatcher<Item, Answer> {
  readonly #send: (items: readonly Item[]) => Promise<(item: Item) => Answer>
  readonly #schedule: (sendNow: () => void) => void
  readonly #maxBatchSize: number
  readonly #maxWaiting: number
  #waiting: Pending<Item, Answer>[] = []
  #running = false

  constructor({ send, schedule, maxBatchSize, maxWaiting }: MicroBatcherOptions<Item, Answer>) {
    this.#send = send
    this.#schedule = schedule
    this.#maxBatchSize = maxBatchSize
    this.#maxWaiting = maxWaiting
  }

  /** How many items wait to be sent. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Resolves with the item's answer; `null`: too many wait, and the item is not sent. */
  add(item: Item): Promise<Answer> | null {
    if (this.#waiting.length >= this.#maxWaiting) return null
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#waiting.push({ item, resolve, reject })
    if (!this.#running) {
      this.#running = true
      this.#schedule(() => void this.#run())
    }
    return promise
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) await this.#sendBatch(this.#take())
    this.#running = false
  }

  #take(): readonly Pending<Item, Answer>[] {
    const all = this.#waiting
    if (all.length > this.#maxBatchSize) return all.splice(0, this.#maxBatchSize)
    this.#waiting = []
    return all
  }

  async #sendBatch(batch: readonly Pending<Item, Answer>[]): Promise<void> {
    try {
      const answerTo = await this.#send(batch.map(({ item }) => item))
      for (const { item, resolve } of batch) resolve(answerTo(item))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

/** A call that is about to begin. It must not throw: it would keep others from beginning. */
export interface Beginning {
  begin(): void
}

/**
 * Lets the calls of one turn of the event loop go through the same steps at the
 * same time. What they ask of the database then travels together, and the
 * processor finds the code of a step still in its cache.
 *
 * A server has one, which its transports and its stores share.
 */
export class BatchScheduler {
  /** Whether all who are about to ask do so before the next tick. */
  #asking = false
  #beginning: Beginning[] = []

  /** Begins a call with all others that arrive in this turn, once everything that was received is read. */
  startTogether(call: Beginning): void {
    if (this.#beginning.length === 0) setImmediate(this.#beginAll)
    this.#beginning.push(call)
  }

  /** Sends a batch when all have asked who are about to: now or, where callers resume, after the last of them. */
  schedule(send: () => void): void {
    if (this.#asking) process.nextTick(send)
    else setImmediate(send)
  }

  /** Says that callers resume with an answer now; what they ask next, they ask before anything else is received. */
  callersResume(): void {
    if (this.#asking) return
    this.#asking = true
    // Ticks come after everything that promises have to do.
    process.nextTick(this.#stopAsking)
  }

  readonly #beginAll = (): void => {
    const all = this.#beginning
    this.#beginning = []
    this.#asking = true
    for (const call of all) call.begin()
    this.#asking = false
  }

  readonly #stopAsking = (): void => {
    this.#asking = false
  }
}

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

import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { CounterSync, CountSubscriber, PublishCount } from '../../rate-limits/counter-sync.ts'
import type { Counts } from './messages.ts'

/** A count is published at once, and the next ones at most this often: a flood makes longer messages, not more of them. */
const PUBLISH_INTERVAL_MS = 20

/** Shares what a worker counts with the other workers, through the primary. */
export class WorkerCounterSync implements CounterSync {
  readonly fingerprintKey: string
  readonly #send: (counts: Counts) => void
  readonly #subscribers = new Map<string, CountSubscriber>()
  #unpublished = new Map<string, Map<string, number>>()
  #throttled = false

  constructor(fingerprintKey: string, send: (counts: Counts) => void) {
    this.fingerprintKey = fingerprintKey
    this.#send = send
  }

  subscribe(name: string, subscriber: CountSubscriber): PublishCount {
    this.#subscribers.set(name, subscriber)
    return (key, count) => this.#count(name, key, count)
  }

  receive(counts: Counts, now: EpochMs = epochMs(Date.now())): void {
    for (const [name, ofName] of counts) {
      const subscriber = this.#subscribers.get(name)
      for (const [key, count] of ofName) subscriber?.(key, count, now)
    }
  }

  #count(name: string, key: string, count: number): void {
    const ofName = this.#unpublished.get(name) ?? new Map<string, number>()
    this.#unpublished.set(name, ofName)
    ofName.set(key, (ofName.get(key) ?? 0) + count)
    if (!this.#throttled) this.#publish()
  }

  #publish(): void {
    this.#throttled = this.#unpublished.size > 0
    if (!this.#throttled) return
    const counts = this.#unpublished
    this.#unpublished = new Map()
    this.#send(counts)
    setTimeout(() => this.#publish(), PUBLISH_INTERVAL_MS).unref()
  }
}

import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { CounterSync, CountSubscriber, PublishCount } from '../../rate-limits/counter-sync.ts'
import type { Counts } from './messages.ts'

/** Counts travel at once, and then at most so often: a flood makes longer messages, not more of them. */
const EVERY_MS = 20

/** A worker's part in the counts that it shares with the others. */
export class WorkerCounterSync implements CounterSync {
  readonly fingerprintKey: string
  readonly #send: (counts: Counts) => void
  readonly #hearers = new Map<string, CountSubscriber>()
  #untold = new Map<string, Map<string, number>>()
  #resting = false

  constructor(fingerprintKey: string, send: (counts: Counts) => void) {
    this.fingerprintKey = fingerprintKey
    this.#send = send
  }

  subscribe(name: string, hear: CountSubscriber): PublishCount {
    this.#hearers.set(name, hear)
    return (key, count) => this.#note(name, key, count)
  }

  hear(counts: Counts, now: EpochMs = epochMs(Date.now())): void {
    for (const [name, ofName] of counts) {
      const hear = this.#hearers.get(name)
      for (const [key, count] of ofName) hear?.(key, count, now)
    }
  }

  #note(name: string, key: string, count: number): void {
    const ofName = this.#untold.get(name) ?? new Map<string, number>()
    this.#untold.set(name, ofName)
    ofName.set(key, (ofName.get(key) ?? 0) + count)
    if (!this.#resting) this.#tell()
  }

  #tell(): void {
    this.#resting = this.#untold.size > 0
    if (!this.#resting) return
    const counts = this.#untold
    this.#untold = new Map()
    this.#send(counts)
    setTimeout(() => this.#tell(), EVERY_MS).unref()
  }
}

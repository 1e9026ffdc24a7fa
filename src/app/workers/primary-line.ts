import type { Worker } from 'node:cluster'
import type { Announcement } from '../announce.ts'
import type { Reload } from '../reload.ts'
import type { Keeper } from '../serve.ts'
import { BEAT_MS } from './heartbeats.ts'
import { marked, type Order, orderIn, type Report } from './messages.ts'
import type { Measured } from './rounds.ts'
import { WorkerCounterSync } from './worker-counter-sync.ts'

/** The first order, by which a worker opens. */
export type Opening = Extract<Order, { readonly kind: 'open' }>

/** A worker's end of the line to the primary, who keeps it. */
export class PrimaryLine implements Keeper {
  readonly #worker: Worker
  readonly #opening = Promise.withResolvers<Opening>()
  readonly #mayListen = Promise.withResolvers<void>()
  readonly #stopAsked = Promise.withResolvers<string>()
  #counts: WorkerCounterSync | null = null
  #listens = false
  #reload: ((reload: Reload) => Promise<void>) | null = null
  /** What came before it could be taken up. */
  #missed: Reload | null = null
  #measure: (() => Promise<Measured>) | null = null
  readonly #wanted = new Map<number, (measured: readonly Measured[]) => void>()
  #lastWanted = 0

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: unknown) => {
      const order = orderIn(message)
      if (order !== null) this.#heed(order)
    })
    // Without its primary no connection arrives; Node would end the process at once, with its calls unanswered.
    worker.on('disconnect', () => {
      worker.exitedAfterDisconnect = this.#listens
      for (const resolve of this.#wanted.values()) resolve([])
      this.#stopAsked.resolve('the primary is gone')
    })
    void this.#report({ kind: 'ready' })
    setInterval(() => void this.#report({ kind: 'beat' }), BEAT_MS).unref()
  }

  get opening(): Promise<Opening> {
    return this.#opening.promise
  }

  get stopAsked(): Promise<string> {
    return this.#stopAsked.promise
  }

  /** A signal that reached this process alone, or all of them. */
  askToStop(reason: string): void {
    this.#stopAsked.resolve(reason)
  }

  async opened(): Promise<void> {
    await this.#report({ kind: 'opened' })
    await this.#mayListen.promise
  }

  listening({ address }: Announcement): void {
    this.#listens = true
    void this.#report({ kind: 'listening', address })
  }

  reloadWith(apply: (reload: Reload) => Promise<void>): void {
    this.#reload = apply
    if (this.#missed !== null) this.#take(this.#missed)
  }

  /** Resolves when it is told. */
  async failed(problem: string): Promise<void> {
    await this.#report({ kind: 'failed', problem })
  }

  /** Whichever worker is asked answers for all; without the primary for itself. */
  measureWith(own: () => Promise<Measured>): () => Promise<readonly Measured[]> {
    this.#measure = own
    return async () => {
      if (!this.#worker.isConnected()) return [await own()]
      this.#lastWanted += 1
      const wanted = this.#lastWanted
      const { promise, resolve } = Promise.withResolvers<readonly Measured[]>()
      this.#wanted.set(wanted, resolve)
      await this.#report({ kind: 'measurements_wanted', wanted })
      return await promise
    }
  }

  /** What this worker counts together with the others. */
  shareCounts(fingerprintKey: string): WorkerCounterSync {
    this.#counts = new WorkerCounterSync(fingerprintKey, (counts) => void this.#report({ kind: 'counts', counts }))
    return this.#counts
  }

  #heed(order: Order): void {
    switch (order.kind) {
      case 'open':
        this.#opening.resolve(order)
        break
      case 'listen':
        this.#mayListen.resolve()
        break
      case 'stop':
        this.#stopAsked.resolve('the primary stops')
        this.#mayListen.resolve()
        break
      case 'reload':
        this.#take(order.reload)
        break
      case 'counts':
        this.#counts?.hear(order.counts)
        break
      case 'measure':
        void this.#answerMeasure(order.round)
        break
      case 'measurements':
        this.#wanted.get(order.wanted)?.(order.measured)
        this.#wanted.delete(order.wanted)
        break
      default:
        order satisfies never
    }
  }

  #take(reload: Reload): void {
    if (this.#reload === null) this.#missed = reload
    else void this.#reload(reload)
  }

  async #answerMeasure(round: number): Promise<void> {
    if (this.#measure !== null) await this.#report({ kind: 'measured', round, measured: await this.#measure() })
  }

  /** A primary that is gone has `disconnect` to say so, not what could no longer be sent to it. */
  #report(report: Report): Promise<void> {
    return new Promise((resolve) => {
      if (this.#worker.isConnected()) this.#worker.send(marked(report), () => resolve())
      else resolve()
    })
  }
}

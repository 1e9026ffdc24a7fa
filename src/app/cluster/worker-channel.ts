import type { Worker } from 'node:cluster'
import type { Announcement } from '../announce.ts'
import type { Reload } from '../reload.ts'
import type { Lifecycle } from '../serve.ts'
import { BEAT_MS } from './heartbeats.ts'
import { type Command, commandIn, marked, type WorkerEvent } from './messages.ts'
import type { Measured } from './metrics-aggregation.ts'
import { WorkerCounterSync } from './worker-counter-sync.ts'

/** The first command, by which a worker opens. */
export type Opening = Extract<Command, { readonly kind: 'open' }>

/** A worker's end of the channel to the primary. */
export class WorkerChannel implements Lifecycle {
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
      const command = commandIn(message)
      if (command !== null) this.#handle(command)
    })
    // Without its primary no connection arrives; Node would end the process at once, with its calls unanswered.
    worker.on('disconnect', () => {
      worker.exitedAfterDisconnect = this.#listens
      for (const resolve of this.#wanted.values()) resolve([])
      this.#stopAsked.resolve('the primary is gone')
    })
    void this.#emit({ kind: 'ready' })
    setInterval(() => void this.#emit({ kind: 'beat' }), BEAT_MS).unref()
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
    await this.#emit({ kind: 'opened' })
    await this.#mayListen.promise
  }

  listening({ address }: Announcement): void {
    this.#listens = true
    void this.#emit({ kind: 'listening', address })
  }

  reloadWith(apply: (reload: Reload) => Promise<void>): void {
    this.#reload = apply
    if (this.#missed !== null) this.#take(this.#missed)
  }

  /** Resolves when it is told. */
  async failed(problem: string): Promise<void> {
    await this.#emit({ kind: 'failed', problem })
  }

  /** Whichever worker is asked answers for all; without the primary for itself. */
  aggregateMetrics(own: () => Promise<Measured>): () => Promise<readonly Measured[]> {
    this.#measure = own
    return async () => {
      if (!this.#worker.isConnected()) return [await own()]
      this.#lastWanted += 1
      const wanted = this.#lastWanted
      const { promise, resolve } = Promise.withResolvers<readonly Measured[]>()
      this.#wanted.set(wanted, resolve)
      await this.#emit({ kind: 'measurements_wanted', wanted })
      return await promise
    }
  }

  /** What this worker counts together with the others. */
  shareCounts(fingerprintKey: string): WorkerCounterSync {
    this.#counts = new WorkerCounterSync(fingerprintKey, (counts) => void this.#emit({ kind: 'counts', counts }))
    return this.#counts
  }

  #handle(command: Command): void {
    switch (command.kind) {
      case 'open':
        this.#opening.resolve(command)
        break
      case 'listen':
        this.#mayListen.resolve()
        break
      case 'stop':
        this.#stopAsked.resolve('the primary stops')
        this.#mayListen.resolve()
        break
      case 'reload':
        this.#take(command.reload)
        break
      case 'counts':
        this.#counts?.hear(command.counts)
        break
      case 'measure':
        void this.#answerMeasure(command.round)
        break
      case 'measurements':
        this.#wanted.get(command.wanted)?.(command.measured)
        this.#wanted.delete(command.wanted)
        break
      default:
        command satisfies never
    }
  }

  #take(reload: Reload): void {
    if (this.#reload === null) this.#missed = reload
    else void this.#reload(reload)
  }

  async #answerMeasure(round: number): Promise<void> {
    if (this.#measure !== null) await this.#emit({ kind: 'measured', round, measured: await this.#measure() })
  }

  /** A primary that is gone has `disconnect` to say so, not what could no longer be sent to it. */
  #emit(event: WorkerEvent): Promise<void> {
    return new Promise((resolve) => {
      if (this.#worker.isConnected()) this.#worker.send(marked(event), () => resolve())
      else resolve()
    })
  }
}

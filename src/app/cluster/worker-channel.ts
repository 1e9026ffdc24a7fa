import type { Worker } from 'node:cluster'
import { type EpochMs, epochMs } from '../../domain/ids.ts'
import type { CounterSync, CountSubscriber, PublishCount } from '../../rate-limits/counter-sync.ts'
import { HEARTBEAT_INTERVAL_MS } from './heartbeats.ts'
import type { Lifecycle, Reload, StartReport } from './lifecycle.ts'
import { type Command, type Counts, envelope, readCommand, type WorkerEvent } from './messages.ts'
import type { ProcessMetrics } from './metrics-aggregation.ts'

/** The first command, which makes a worker open its server. */
export type OpenCommand = Extract<Command, { readonly kind: 'open' }>

/** A worker's end of the channel to the primary. */
export class WorkerChannel implements Lifecycle {
  readonly #worker: Worker
  readonly #openCommand = Promise.withResolvers<OpenCommand>()
  readonly #mayListen = Promise.withResolvers<void>()
  readonly #stopRequested = Promise.withResolvers<string>()
  #counterSync: WorkerCounterSync | null = null
  #listens = false
  #applyReload: ((reload: Reload) => Promise<void>) | null = null
  /** Commands that arrived before they could be applied. */
  #earlyReload: Reload | null = null
  #ownMetrics: (() => Promise<ProcessMetrics>) | null = null
  readonly #requests = new Map<number, (measured: readonly ProcessMetrics[]) => void>()
  #lastRequest = 0

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: unknown) => {
      const command = readCommand(message)
      if (command !== null) this.#handle(command)
    })
    // Without its primary the worker receives no connections. Node.js would end the process at once and leave its calls unanswered.
    worker.on('disconnect', () => {
      worker.exitedAfterDisconnect = this.#listens
      for (const resolve of this.#requests.values()) resolve([])
      this.#stopRequested.resolve('the primary is gone')
    })
    void this.#emit({ kind: 'ready' })
    setInterval(() => void this.#emit({ kind: 'beat' }), HEARTBEAT_INTERVAL_MS).unref()
  }

  get openCommand(): Promise<OpenCommand> {
    return this.#openCommand.promise
  }

  get stopRequested(): Promise<string> {
    return this.#stopRequested.promise
  }

  /** Handles a stop signal that this process alone, or every process, received. */
  requestStop(reason: string): void {
    this.#stopRequested.resolve(reason)
  }

  async readyToListen(): Promise<void> {
    await this.#emit({ kind: 'opened' })
    await this.#mayListen.promise
  }

  onListening({ address }: StartReport): void {
    this.#listens = true
    void this.#emit({ kind: 'listening', address })
  }

  onReload(apply: (reload: Reload) => Promise<void>): void {
    this.#applyReload = apply
    if (this.#earlyReload !== null) this.#reload(this.#earlyReload)
  }

  /** Resolves when the message to the primary was sent. */
  async reportFailure(problem: string): Promise<void> {
    await this.#emit({ kind: 'failed', problem })
  }

  /** Answers with the metrics of all workers, or without a primary with those of this worker. */
  aggregateMetrics(own: () => Promise<ProcessMetrics>): () => Promise<readonly ProcessMetrics[]> {
    this.#ownMetrics = own
    return async () => {
      if (!this.#worker.isConnected()) return [await own()]
      this.#lastRequest += 1
      const request = this.#lastRequest
      const { promise, resolve } = Promise.withResolvers<readonly ProcessMetrics[]>()
      this.#requests.set(request, resolve)
      await this.#emit({ kind: 'measurements_requested', request })
      return await promise
    }
  }

  /** Shares what this worker counts with the others. */
  openCounterSync(fingerprintKey: string): WorkerCounterSync {
    this.#counterSync = new WorkerCounterSync(fingerprintKey, (counts) => void this.#emit({ kind: 'counts', counts }))
    return this.#counterSync
  }

  #handle(command: Command): void {
    switch (command.kind) {
      case 'open':
        this.#openCommand.resolve(command)
        break
      case 'listen':
        this.#mayListen.resolve()
        break
      case 'stop':
        this.#stopRequested.resolve('the primary stops')
        this.#mayListen.resolve()
        break
      case 'reload':
        this.#reload(command.reload)
        break
      case 'counts':
        this.#counterSync?.receive(command.counts)
        break
      case 'measure':
        void this.#answerMeasure(command.round)
        break
      case 'measurements':
        this.#requests.get(command.request)?.(command.measured)
        this.#requests.delete(command.request)
        break
      default:
        command satisfies never
    }
  }

  #reload(reload: Reload): void {
    if (this.#applyReload === null) this.#earlyReload = reload
    else void this.#applyReload(reload)
  }

  async #answerMeasure(round: number): Promise<void> {
    if (this.#ownMetrics !== null) await this.#emit({ kind: 'measured', round, measured: await this.#ownMetrics() })
  }

  /** Messages that cannot be sent are dropped: the event `disconnect` reports a lost primary. */
  #emit(event: WorkerEvent): Promise<void> {
    return new Promise((resolve) => {
      if (this.#worker.isConnected()) this.#worker.send(envelope(event), () => resolve())
      else resolve()
    })
  }
}

/** The shortest time between two messages. The first count is published at once; a flood makes longer messages, not more of them. */
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

import cluster, { type Worker } from 'node:cluster'
import type { Address } from '../../config/address.ts'
import type { Config } from '../../config/config.ts'
import type { Logger } from '../../context.ts'
import { HEARTBEAT_INTERVAL_MS, Heartbeats } from './heartbeats.ts'
import type { Reload } from './lifecycle.ts'
import { closeLostConnections } from './lost-connections.ts'
import { type Command, envelope, readEvent, type WorkerEvent } from './messages.ts'
import { MetricsAggregation } from './metrics-aggregation.ts'

/** The options of Node.js for workers: those of the primary, without the signal that opens a debugger. */
const EXEC_ARGV = [...new Set([...process.execArgv, '--disable-sigusr1'])]

export interface WorkerPoolOptions {
  /** The file that a worker runs. */
  readonly entry: string
  readonly config: Config
  readonly log: Logger
  /** The key of the fingerprints by which workers identify secrets to each other. */
  readonly fingerprintKey: string
}

/** A worker slot. A worker that ends is replaced in the same slot. */
interface WorkerSlot {
  /** From 1. The log lines of the worker in this slot carry it. */
  readonly number: number
  readonly restarts: RestartPolicy
  worker: Worker | null
  state: 'starting' | 'opening' | 'opened' | 'listening'
  listeningSince: number
  heartbeats: Heartbeats
  /** Whether the primary killed the worker because it hung. */
  hung: boolean
  /** The worker's own reason why it could not start. */
  problem: string | null
  /** Waits to fill the slot again. */
  waiting: NodeJS.Timeout | undefined
}

/** The workers of one server, managed by the primary: it starts them together, replaces those that end, and stops them together. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  /** The current configuration, which workers that start later use too. */
  #config: Config
  readonly #slots: readonly WorkerSlot[]
  readonly #started = Promise.withResolvers<Address>()
  readonly #crashLoop = Promise.withResolvers<string>()
  readonly #allExited = Promise.withResolvers<void>()
  readonly #aggregations = new MetricsAggregation()
  #phase: 'starting' | 'serving' | 'stopping' = 'starting'
  #monitor: NodeJS.Timeout | undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#config = options.config
    this.#slots = Array.from({ length: options.config.workers }, (_, index) => ({
      number: index + 1,
      restarts: new RestartPolicy(),
      worker: null,
      state: 'starting',
      listeningSince: 0,
      heartbeats: new Heartbeats(performance.now()),
      hung: false,
      problem: null,
      waiting: undefined,
    }))
  }

  /** Resolves with the reason when workers end as fast as they are replaced. */
  get crashLoop(): Promise<string> {
    return this.#crashLoop.promise
  }

  /** Resolves when all workers listen. Throws the one-line error of the first worker that cannot. */
  async start(): Promise<Address> {
    // Round robin per connection: a client has few long-lived connections, which a random choice would spread unevenly.
    cluster.schedulingPolicy = cluster.SCHED_RR
    // `advanced` serialization supports `Map`, which configurations and counts contain.
    cluster.setupPrimary({ exec: this.#options.entry, args: [], execArgv: EXEC_ARGV, serialization: 'advanced' })
    for (const slot of this.#slots) this.#fill(slot)
    this.#monitor = setInterval(() => this.#checkHeartbeats(), HEARTBEAT_INTERVAL_MS)
    return await this.#started.promise
  }

  /** Makes all workers apply the reloaded settings, including those that start later. */
  reload(reload: Reload): void {
    const { trustedIssuers } = reload
    if (trustedIssuers !== null) this.#config = { ...this.#config, trustedIssuers }
    for (const slot of this.#slots) if (slot.state !== 'starting') send(slot, { kind: 'reload', reload })
  }

  /** Drains all workers. Throws if some took longer and were killed. */
  async stop(withinMs: number): Promise<void> {
    this.#phase = 'stopping'
    clearInterval(this.#monitor)
    for (const slot of this.#slots) {
      clearTimeout(slot.waiting)
      // A worker that receives no commands yet has no calls to finish.
      if (slot.state === 'starting') slot.worker?.process.kill('SIGKILL')
      else send(slot, { kind: 'stop' })
    }
    this.#resolveIfAllExited()
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.kill()
    }, withinMs)
    await this.#allExited.promise
    clearTimeout(timer)
    if (late) throw new Error(`some workers did not end within ${withinMs} ms and were killed`)
  }

  /** Kills all workers immediately. */
  kill(): void {
    this.#phase = 'stopping'
    clearInterval(this.#monitor)
    for (const { worker } of this.#slots) worker?.process.kill('SIGKILL')
  }

  #fill(slot: WorkerSlot): void {
    const { log } = this.#options
    const worker = cluster.fork()
    closeLostConnections(worker)
    slot.worker = worker
    slot.problem = null
    slot.hung = false
    slot.heartbeats = new Heartbeats(performance.now())
    log.info({ worker: slot.number, pid: worker.process.pid }, 'worker started')
    worker.on('message', (message: unknown) => {
      const event = readEvent(message)
      if (event !== null) this.#handle(slot, event)
    })
    worker.on('exit', (code, signal) => this.#onExit(slot, slot.hung ? 'a hang' : (signal ?? `exit code ${code}`)))
    worker.on('error', (error) => log.error({ worker: slot.number, err: error }, 'a worker failed'))
  }

  /** Kills workers that hang. They are then replaced like any worker that ended. */
  #checkHeartbeats(): void {
    for (const slot of this.#slots) {
      const { worker, heartbeats, number } = slot
      if (worker === null || slot.hung || !heartbeats.check(slot.state === 'starting')) continue
      slot.hung = true
      const silentMs = Math.round(performance.now() - heartbeats.lastBeatAt)
      this.#options.log.error(
        { worker: number, pid: worker.process.pid, silentMs },
        'a worker does not respond and is killed',
      )
      worker.process.kill('SIGKILL')
    }
  }

  #handle(slot: WorkerSlot, event: WorkerEvent): void {
    slot.heartbeats.beat(performance.now())
    switch (event.kind) {
      case 'ready': {
        slot.state = 'opening'
        const { fingerprintKey } = this.#options
        send(slot, { kind: 'open', number: slot.number, config: this.#config, fingerprintKey })
        break
      }
      case 'beat':
        break
      case 'opened':
        slot.state = 'opened'
        if (this.#phase !== 'starting') send(slot, { kind: 'listen' })
        // All at the same time, so that waiting callers do not all connect to the first worker.
        else if (this.#all('opened')) for (const each of this.#slots) send(each, { kind: 'listen' })
        break
      case 'listening':
        slot.state = 'listening'
        slot.listeningSince = performance.now()
        if (this.#phase === 'starting' && this.#all('listening')) {
          this.#phase = 'serving'
          this.#started.resolve(event.address)
        }
        break
      case 'failed':
        slot.problem = event.problem
        break
      case 'counts':
        for (const each of this.#slots) if (each !== slot) send(each, event)
        break
      case 'measurements_requested':
        void this.#measure(slot, event.request)
        break
      case 'measured':
        this.#aggregations.add(event.round, event.measured)
        break
      default:
        event satisfies never
    }
  }

  async #measure(slot: WorkerSlot, request: number): Promise<void> {
    const serving = this.#slots.filter(({ state }) => state === 'listening')
    const measured = await this.#aggregations.begin(serving.length, (round) => {
      for (const each of serving) send(each, { kind: 'measure', round })
    })
    send(slot, { kind: 'measurements', request, measured })
  }

  #onExit(slot: WorkerSlot, how: string): void {
    const { log } = this.#options
    const pid = slot.worker?.process.pid ?? 0
    // A worker that hung served until its last heartbeat.
    const end = slot.hung ? slot.heartbeats.lastBeatAt : performance.now()
    const servedMs = slot.state === 'listening' ? Math.round(end - slot.listeningSince) : 0
    const { problem } = slot
    slot.worker = null
    slot.state = 'starting'
    switch (this.#phase) {
      case 'starting':
        this.#started.reject(new Error(problem ?? `a worker ended with ${how} before it served`))
        break
      case 'serving':
        log.error({ worker: slot.number, pid, how, servedMs, ...(problem !== null && { problem }) }, 'a worker ended')
        slot.restarts.recordExit(servedMs)
        this.#replace(slot, problem ?? how)
        break
      case 'stopping':
        this.#resolveIfAllExited()
        break
      default:
        this.#phase satisfies never
    }
  }

  #replace(slot: WorkerSlot, lastEnd: string): void {
    if (slot.restarts.isCrashLoop(this.#slots.some(isStable))) {
      this.#crashLoop.resolve(`workers end as fast as they are replaced; the last one: ${lastEnd}`)
    } else slot.waiting = setTimeout(() => this.#fill(slot), slot.restarts.delayMs())
  }

  #all(state: WorkerSlot['state']): boolean {
    return this.#slots.every((slot) => slot.state === state)
  }

  #resolveIfAllExited(): void {
    if (this.#slots.every(({ worker }) => worker === null)) this.#allExited.resolve()
  }
}

function isStable({ state, listeningSince, heartbeats }: WorkerSlot): boolean {
  return state === 'listening' && heartbeats.isAlive && performance.now() - listeningSince >= STABLE_AFTER_MS
}

/** Messages that cannot be sent are dropped: the exit event reports a worker that ended. */
function send({ worker }: WorkerSlot, command: Command): void {
  if (worker?.isConnected() === true) worker.send(envelope(command), () => undefined)
}

/** After serving this long, a worker counts as stable: its later end has another cause than the ends before. */
export const STABLE_AFTER_MS = 10_000
/** This many workers in a row may end before they are stable. If no other worker is stable then, all of them have a common fault. */
const MAX_SHORT_RUNS = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000

/** Decides when a worker that ended is replaced, and when to give up. */
export class RestartPolicy {
  #shortRuns = 0

  /** Records the end of a worker that served for `servedMs`; 0 if it never served. */
  recordExit(servedMs: number): void {
    this.#shortRuns = servedMs >= STABLE_AFTER_MS ? 0 : this.#shortRuns + 1
  }

  /** Whether workers end as fast as they are replaced, which makes a replacement useless. */
  isCrashLoop(othersAreStable: boolean): boolean {
    return this.#shortRuns > MAX_SHORT_RUNS && !othersAreStable
  }

  /** The delay before the next replacement in milliseconds: 0 for the first, then doubled each time. */
  delayMs(): number {
    if (this.#shortRuns <= 1) return 0
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#shortRuns - 2))
  }
}

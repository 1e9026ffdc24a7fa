import { setTimeout as sleep } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import { type GrpcJsChannel, grpcJsChannel } from '../../packages/client/src/grpc-js/channel.ts'
import { QScopeError } from '../../packages/client/src/qscope-error.ts'
import {
  type CachingVerifier,
  cachingVerifier,
} from '../../packages/client/src/verification/caching/caching-verifier.ts'
import type { Caller } from '../../packages/client/src/verification/token-question.ts'

/** What is known of a token by those who end it, by the monotonic clock of the tests. */
export interface TokenRecord {
  readonly value: string
  /** What it is; between a call that changes that and its answer nobody can say. */
  state: 'good' | 'changing' | 'ended'
  /** When that was answered. */
  since: number
}

/** What a verifier said that it must not say. */
export interface Fault {
  readonly verifier: string
  readonly what: 'accepted too late' | 'refused a good token' | 'failed otherwise'
  readonly detail: string
}

export interface WatchOptions {
  readonly name: string
  readonly address: string
  readonly caller: Caller
  /** `null`: it asks about each token first. */
  readonly issuer: string | null
  readonly boundMs: number
  /** How far its clocks are off. */
  readonly wallOffsetMs: number
  readonly monotonicOffsetMs: number
  /** Tokens that stay good all the time. */
  readonly standing: readonly TokenRecord[]
  /** The other tokens to verify, the latest last. */
  readonly records: readonly TokenRecord[]
  readonly random: () => number
}

/** How many of the latest tokens are looked at again. */
const LATEST = 60

/** A verifier that keeps what it verified, as resource servers have it, verifying all the time. */
export class VerifierWatch {
  readonly faults: Fault[] = []
  /** How long after its end was answered each token was refused, milliseconds. */
  readonly delays: number[] = []
  readonly counts = { accepted: 0, fromMemory: 0, refused: 0, unavailable: 0 }
  readonly #options: WatchOptions
  readonly #channel: GrpcJsChannel
  readonly #verifier: CachingVerifier
  readonly #refused = new Set<TokenRecord>()
  #isStopped = false
  readonly #running: Promise<void>

  constructor(options: WatchOptions) {
    const { address, caller, issuer, boundMs, wallOffsetMs, monotonicOffsetMs } = options
    this.#options = options
    this.#channel = grpcJsChannel(address, { credentials: credentials.createInsecure() })
    this.#verifier = cachingVerifier(this.#channel, {
      caller,
      audience: null,
      issuer: issuer ?? undefined,
      boundMs,
      timeoutMs: 2_000,
      clock: {
        monotonicMs: () => performance.now() + monotonicOffsetMs,
        wallMs: () => Date.now() + wallOffsetMs,
        pause: async (ms, signal) => void (await sleep(ms, undefined, { signal })),
      },
    })
    this.#running = this.#watch()
  }

  get isCurrent(): boolean {
    return this.#verifier.state.isCurrent
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
    this.#verifier.close()
    this.#channel.close()
  }

  /** Verifies each of these, once the server can be asked; answers how many were accepted. */
  async countAccepted(records: readonly TokenRecord[]): Promise<number> {
    let accepted = 0
    for (const { value } of records) if (await this.#isAccepted(value)) accepted += 1
    return accepted
  }

  async #isAccepted(value: string): Promise<boolean> {
    for (;;) {
      try {
        return (await this.#verifier.verify({ value, certificate: null })) !== null
      } catch (error) {
        // A connection that was cut before is noticed now.
        if (!(error instanceof QScopeError && UNAVAILABLE.has(error.status))) throw error
        await sleep(100)
      }
    }
  }

  async #watch(): Promise<void> {
    const { records, standing, random } = this.#options
    while (!this.#isStopped) {
      const latest = Math.min(records.length, LATEST)
      const record =
        random() < 0.3
          ? standing[Math.floor(random() * standing.length)]
          : records[records.length - 1 - Math.floor(random() * latest)]
      if (record === undefined) await sleep(5)
      else await this.#look(record)
      // Memory answers at once: whatever else there is to do must be done as well.
      await sleep(random() < 0.2 ? 1 : 0)
    }
  }

  async #look(record: TokenRecord): Promise<void> {
    const { boundMs, name } = this.#options
    const before = { ...record, at: performance.now() }
    try {
      const recalled = this.#verifier.recall({ value: record.value, certificate: null })
      const found =
        recalled === undefined ? await this.#verifier.verify({ value: record.value, certificate: null }) : recalled
      const isUnchanged = record.state === before.state && record.since === before.since
      if (found !== null) {
        this.counts.accepted += 1
        if (recalled !== undefined) this.counts.fromMemory += 1
        if (isUnchanged && before.state === 'ended' && before.at > before.since + boundMs) {
          this.#fault('accepted too late', `${Math.round(before.at - before.since)} ms after its end was answered`)
        }
        return
      }
      this.counts.refused += 1
      if (isUnchanged && before.state === 'good') this.#fault('refused a good token', record.value.slice(0, 12))
      if (isUnchanged && before.state === 'ended' && !this.#refused.has(record)) {
        this.#refused.add(record)
        this.delays.push(performance.now() - record.since)
      }
    } catch (error) {
      if (error instanceof QScopeError && UNAVAILABLE.has(error.status)) this.counts.unavailable += 1
      else this.faults.push({ verifier: name, what: 'failed otherwise', detail: String(error) })
    }
  }

  #fault(what: Fault['what'], detail: string): void {
    this.faults.push({ verifier: this.#options.name, what, detail })
  }
}

/** What a network that is cut, or a server that is, lets calls end with. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED'])

import { setTimeout as sleep } from 'node:timers/promises'
import { credentials } from '@grpc/grpc-js'
import { type GrpcJsChannel, grpcJsChannel } from '../../packages/client/src/grpc-js/channel.ts'
import { QScopeError } from '../../packages/client/src/qscope-error.ts'
import {
  type CachingVerifier,
  cachingVerifier,
} from '../../packages/client/src/verification/caching/caching-verifier.ts'
import type { Caller } from '../../packages/client/src/verification/token-question.ts'
import type { BookReader, TokenBook, TokenRecord } from './token-book.ts'

/** A wrong answer of a verifier. */
export interface Fault {
  readonly verifier: string
  readonly what: 'accepted too late' | 'refused a good token' | 'failed otherwise'
  readonly detail: string
}

export interface WatchOptions {
  readonly name: string
  readonly address: string
  readonly caller: Caller
  /** `null`: it asks about each token once before it keeps it. */
  readonly issuer: string | null
  readonly boundMs: number
  /** The error of its wall clock. */
  readonly wallOffsetMs: number
  readonly monotonicOffsetMs: number
  /** Tokens that stay valid. */
  readonly standing: readonly TokenRecord[]
  /** The other tokens to verify. */
  readonly book: TokenBook
  readonly random: () => number
}

/** A token whose revocation was answered. */
interface EndedToken {
  readonly record: TokenRecord
  /** Whether it was accepted while it was valid. */
  readonly isHeld: boolean
  /** Whether it may still be accepted. */
  isFading: boolean
}

/** The limit of kept revocation keys: more than in the longest test. */
const MOST_REVOCATIONS = 1_000_000
/** The number of concurrent verifications besides those from memory. */
const LANES = 4
/** The limit of valid tokens that wait to be verified. The oldest are dropped, since they are revoked by then. */
const MOST_GOOD = 200
/** The fraction of revoked tokens that are also verified by a call. */
const ASKED_PART = 0.1
/** The pause when there is nothing to verify. */
const IDLE_MS = 20

/**
 * A caching verifier of a resource server. It verifies each token soon after it was issued, if possible while it is
 * valid, so that it is kept; again as soon as it must be refused; and some tokens all the time.
 */
export class VerifierWatch implements BookReader {
  readonly faults: Fault[] = []
  /** Milliseconds from the answered revocation of each token until it was no longer accepted from memory. */
  readonly delays: number[] = []
  /** `heldToBound`: tokens that it had accepted, and no longer accepted from memory after the bound. */
  readonly counts = { accepted: 0, fromMemory: 0, refused: 0, unavailable: 0, heldToBound: 0 }
  readonly #options: WatchOptions
  readonly #channel: GrpcJsChannel
  readonly #verifier: CachingVerifier
  readonly #good: TokenRecord[] = []
  /** Revoked tokens to verify by a call. */
  readonly #due: TokenRecord[] = []
  readonly #accepted = new WeakSet<TokenRecord>()
  #ended: EndedToken[] = []
  #isStopped = false
  readonly #running: Promise<unknown>

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
      maxRevocations: MOST_REVOCATIONS,
      clock: {
        monotonicMs: () => performance.now() + monotonicOffsetMs,
        wallMs: () => Date.now() + wallOffsetMs,
        pause: async (ms, signal) => void (await sleep(ms, undefined, { signal })),
      },
    })
    options.book.tellOf(this)
    const lanes = Array.from({ length: LANES }, () => this.#lookAtGoodAndDue())
    this.#running = Promise.all([this.#lookAtSome(), this.#lookAtEnded(), ...lanes])
  }

  isGood(record: TokenRecord): void {
    this.#good.push(record)
    this.#good.splice(0, this.#good.length - MOST_GOOD)
  }

  hasEnded(record: TokenRecord): void {
    this.#ended.push({ record, isHeld: this.#accepted.delete(record), isFading: true })
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

  /** Verifies each of these when the server is available; returns how many were accepted. */
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
        // A call detects a connection that was cut before.
        if (!(error instanceof QScopeError && UNAVAILABLE.has(error.status))) throw error
        await sleep(100)
      }
    }
  }

  async #lookAtGoodAndDue(): Promise<void> {
    while (!this.#isStopped) {
      const due = this.#due.pop()
      const record = due ?? this.#good.pop()
      if (record === undefined) await sleep(IDLE_MS)
      else if (record === due || record.state === 'good') await this.#look(record)
    }
  }

  /** Verifies revoked tokens until they must be refused. */
  async #lookAtEnded(): Promise<void> {
    while (!this.#isStopped) {
      await sleep(IDLE_MS)
      this.#ended = this.#ended.filter((token) => !this.#isPastBound(token))
    }
  }

  #isPastBound(token: EndedToken): boolean {
    const { record, isHeld } = token
    if (record.state !== 'ended') return true
    const { boundMs, random } = this.#options
    const isDue = performance.now() > record.since + boundMs
    const isAccepted = this.#recall(record)
    if (isHeld && token.isFading && !isAccepted) {
      token.isFading = false
      this.delays.push(performance.now() - record.since)
    }
    if (!isDue) return false
    if (isHeld) this.counts.heldToBound += 1
    if (random() < ASKED_PART) this.#due.push(record)
    return true
  }

  async #lookAtSome(): Promise<void> {
    const { book, standing, random } = this.#options
    while (!this.#isStopped) {
      const record = random() < 0.3 ? standing[Math.floor(random() * standing.length)] : book.pickLatest()
      if (record === undefined) await sleep(IDLE_MS)
      else await this.#look(record)
      // Yields to other work, since verification from memory does not wait.
      await sleep(random() < 0.2 ? 1 : 0)
    }
  }

  /** Whether the token is accepted from memory. */
  #recall(record: TokenRecord): boolean {
    const before = { ...record, at: performance.now() }
    const isAccepted = (this.#verifier.recall({ value: record.value, certificate: null }) ?? null) !== null
    if (isAccepted) {
      this.counts.fromMemory += 1
      this.#wasAccepted(record, before)
    }
    return isAccepted
  }

  #wasAccepted(record: TokenRecord, before: TokenRecord & { readonly at: number }): void {
    this.counts.accepted += 1
    if (record.state === 'good') this.#accepted.add(record)
    const isUnchanged = record.state === before.state && record.since === before.since
    if (isUnchanged && before.state === 'ended' && before.at > before.since + this.#options.boundMs) {
      this.#fault('accepted too late', `${Math.round(before.at - before.since)} ms after its end was answered`)
    }
  }

  async #look(record: TokenRecord): Promise<void> {
    const before = { ...record, at: performance.now() }
    try {
      if (this.#recall(record)) return
      const found = await this.#verifier.verify({ value: record.value, certificate: null })
      if (found !== null) return this.#wasAccepted(record, before)
      this.counts.refused += 1
      const isUnchanged = record.state === before.state && record.since === before.since
      if (isUnchanged && before.state === 'good') this.#fault('refused a good token', record.value.slice(0, 12))
    } catch (error) {
      if (error instanceof QScopeError && UNAVAILABLE.has(error.status)) this.counts.unavailable += 1
      else this.faults.push({ verifier: this.#options.name, what: 'failed otherwise', detail: String(error) })
    }
  }

  #fault(what: Fault['what'], detail: string): void {
    this.faults.push({ verifier: this.#options.name, what, detail })
  }
}

/** The statuses of calls that fail because of a cut network or a killed server. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED'])

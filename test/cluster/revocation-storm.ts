import { setTimeout as sleep } from 'node:timers/promises'
import { Refused } from '../setup/client.ts'
import type { CalledServer } from '../setup/grants.ts'
import type { Refusal } from './mixed-load.ts'
import { KINDS, type Kind, SubjectMaker } from './revocation-kinds.ts'
import type { TokenBook, TokenRecord } from './token-book.ts'

/** The number of workers that mint and revoke concurrently. */
const AT_ONCE = 64
/** The longest pause before a token is revoked or restored. */
const MOST_PAUSE_MS = 1_500
/** The pause after an unanswered call. */
const RETRY_MS = 200
const FORMATS = ['opaque', 'jwt'] as const
/** The statuses of calls with an unknown outcome, from a server that is killed or has no database. */
const UNANSWERED: ReadonlySet<string> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'ABORTED'])

type Target = Pick<TokenBook, 'add' | 'isChanging' | 'isNow'>

/** Mints and revokes tokens, in every way and on any server, and records the known state of each. */
export class RevocationStorm {
  /** The number of revocations of each kind. */
  readonly ended = new Map<Kind, number>()
  /** The unanswered calls. */
  readonly refusals: Refusal[] = []
  readonly #servers: readonly CalledServer[]
  readonly #book: Target
  readonly #random: () => number
  readonly #makers: readonly SubjectMaker[]
  #restMs = 0

  constructor(servers: readonly [CalledServer, ...CalledServer[]], book: Target, random: () => number) {
    this.#servers = servers
    this.#book = book
    this.#random = random
    this.#makers = FORMATS.map((format) => new SubjectMaker(servers[0], format))
  }

  /** The number of answered revocations. */
  get answered(): number {
    return [...this.ended.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Sets the pause of each worker after a subject, which is 0 at first. */
  rest(ms: number): void {
    this.#restMs = ms
  }

  /** Continues while `goesOn` returns true, which is asked before each subject. */
  async run(goesOn: () => boolean): Promise<void> {
    let made = 0
    const worker = async () => {
      while (goesOn()) {
        const kind = KINDS[made % KINDS.length] as Kind
        made += 1
        await this.#makeAndEnd(kind)
        if (this.#restMs > 0) await sleep(this.#restMs)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }

  async #makeAndEnd(kind: Kind): Promise<void> {
    const subject = await this.#unlessUnanswered(() => this.#pick(this.#makers).make(kind, this.#pick(this.#servers)))
    if (subject === null) return await sleep(RETRY_MS)
    const records = this.#book.add(subject.tokens)
    const end = async () => {
      const wasLost = await this.#insist(records, 'ended', subject.end)
      this.ended.set(kind, (this.ended.get(kind) ?? 0) + 1)
      return wasLost
    }
    // An unanswered call may take effect after the next answered one, so the state of the token would be unknown.
    if ((await end()) || subject.restore === undefined || this.#random() < 0.5) return
    if (await this.#insist(records, 'good', subject.restore)) return
    await end()
  }

  /** Retries until it is answered. Returns whether a call was unanswered; then a restored token stays unknown. */
  async #insist(
    records: readonly TokenRecord[],
    state: 'good' | 'ended',
    call: (on: CalledServer) => Promise<unknown>,
  ): Promise<boolean> {
    await sleep(this.#random() * MOST_PAUSE_MS)
    this.#book.isChanging(records)
    let wasLost = false
    const onceMore = async () => {
      try {
        await call(this.#pick(this.#servers))
      } catch (error) {
        // After an unanswered call that took effect, a retry finds nothing.
        if (!(wasLost && error instanceof Refused && error.status === 'NOT_FOUND')) throw error
      }
      return true
    }
    while ((await this.#unlessUnanswered(onceMore)) === null) {
      wasLost = true
      await sleep(RETRY_MS * (1 + this.#random()))
    }
    if (state === 'ended' || !wasLost) this.#book.isNow(state, records)
    return wasLost
  }

  /** `null`: the call was not answered. */
  async #unlessUnanswered<T>(call: () => Promise<T>): Promise<T | null> {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof Refused && UNANSWERED.has(error.status))) throw error
      const hasRetryInfo = error.details.retry !== undefined
      this.refusals.push({ status: error.status, reason: error.reason, hasRetryInfo })
      return null
    }
  }

  #pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.#random() * of.length)] as T
  }
}

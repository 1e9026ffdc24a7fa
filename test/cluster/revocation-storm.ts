import { setTimeout as sleep } from 'node:timers/promises'
import { Refused } from '../setup/client.ts'
import type { CalledServer } from '../setup/grants.ts'
import type { Refusal } from './mixed-load.ts'
import { KINDS, type Kind, SubjectMaker } from './revocation-kinds.ts'
import type { TokenBook, TokenRecord } from './token-book.ts'

/** So many are made and ended at once. */
const AT_ONCE = 64
/** A token is left alone for so long at the most before it is ended or brought back. */
const MOST_PAUSE_MS = 1_500
/** After a call that nobody answered. */
const RETRY_MS = 200
const FORMATS = ['opaque', 'jwt'] as const
/** How calls end on a server that dies, or has no database: whether they were done nobody knows. */
const UNANSWERED: ReadonlySet<string> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'ABORTED'])

type Target = Pick<TokenBook, 'add' | 'isChanging' | 'isNow'>

/** Makes tokens and ends them, in every way and on any server, and writes down what is known of each. */
export class RevocationStorm {
  /** How often tokens were ended in each way. */
  readonly ended = new Map<Kind, number>()
  /** Calls that were not answered. */
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

  /** How many revocations were answered. */
  get answered(): number {
    return [...this.ended.values()].reduce((sum, count) => sum + count, 0)
  }

  /** How long each worker rests after a subject: not at all until this is called. */
  rest(ms: number): void {
    this.#restMs = ms
  }

  /** Goes on as long as it is told to before each subject. */
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
    // What was lost may be done later than what is answered next: then nobody could say what the token is.
    if ((await end()) || subject.restore === undefined || this.#random() < 0.5) return
    if (await this.#insist(records, 'good', subject.restore)) return
    await end()
  }

  /** Calls until it is answered. Returns whether any call was not; what it brings back stays unknown then. */
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
        // What was done by a call that nobody answered is gone for the next.
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

  /** `null`: it was not answered. */
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

import type { MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { Channel } from '../../channel.ts'
import {
  type PollRevocationsRequestSchema,
  type PollRevocationsResponse,
  RevocationStart,
  TokenService,
} from '../../gen/qscope/v1/token_service_pb.ts'
import { QScopeError } from '../../qscope-error.ts'
import type { StatusName } from '../../status-name.ts'
import { type Caller, callAs } from '../token-question.ts'
import type { Clock, Moment, Timekeeper } from './clock.ts'

/** An answer to a poll. */
export interface PolledRevocations {
  readonly answer: PollRevocationsResponse
  /** Whether it is the first of a run: nothing that was kept before it has been followed since. */
  readonly begins: boolean
  /** When the call was sent: the first attempt, if the library under the channel repeats it. */
  readonly sent: Moment
}

/** QScope's own bound. */
const LONGEST_WAIT_MS = 30_000
/** A server that answers at once with nothing, such as one that stops, is not asked again at once. */
const IDLE_PAUSE_MS = 100
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000
/** What the next attempt does not mend: a server without the method, credentials that are wrong. */
const REFUSED_PAUSE_MS = 30_000
const REFUSED: ReadonlySet<StatusName> = new Set([
  'INVALID_ARGUMENT',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'UNIMPLEMENTED',
])

/** How a feed asks, and who hears of what comes. */
export interface RevocationFeedOptions {
  readonly caller: Caller
  readonly start: 'now' | 'history'
  /**
   * How old memory may be, milliseconds. A third of it a poll waits for something
   * to tell, a third it may be late, and the last is for another attempt.
   */
  readonly boundMs: number
  readonly clock: Clock
  readonly time: Timekeeper
  /** Whether the next poll has to begin a new run, instead of going on. */
  readonly mustRestart: () => boolean
  readonly onAnswer: (polled: PolledRevocations) => void
  readonly onFailure: (error: unknown) => void
}

/** Polls QScope for what is revoked (`PollRevocations`), one call after the other, until it is closed. */
export class RevocationFeed {
  readonly #channel: Channel
  readonly #options: RevocationFeedOptions
  readonly #closed = new AbortController()
  #cursor: string | null = null
  #more = false
  #failures = 0

  constructor(channel: Channel, options: RevocationFeedOptions) {
    this.#channel = channel
    this.#options = options
  }

  /** Ends when the feed is closed. */
  async run(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const pauseMs = await this.#poll()
      // Only the end of the feed ends a pause.
      if (pauseMs > 0 && !signal.aborted) await this.#options.clock.pause(pauseMs, signal).catch(() => undefined)
    }
  }

  close(): void {
    this.#closed.abort()
  }

  /** One call; returns for how long to leave QScope alone, milliseconds. */
  async #poll(): Promise<number> {
    const { boundMs, time, mustRestart, onAnswer, onFailure } = this.#options
    const sent = time.read().moment
    if (mustRestart()) {
      this.#cursor = null
      this.#more = false
    }
    const waitMs = this.#more ? 0 : Math.min(Math.floor(boundMs / 3), LONGEST_WAIT_MS)
    try {
      const answer = await this.#ask(waitMs)
      if (this.#closed.signal.aborted) return 0
      onAnswer({ answer, begins: this.#cursor === null || answer.reset, sent })
      const isIdle = this.#cursor !== null && !answer.more && answer.revocations.length === 0
      this.#cursor = answer.nextCursor
      this.#more = answer.more
      this.#failures = 0
      return isIdle && time.read().since(sent) < Math.min(waitMs, IDLE_PAUSE_MS) ? IDLE_PAUSE_MS : 0
    } catch (error) {
      if (this.#closed.signal.aborted) return 0
      onFailure(error)
      this.#failures += 1
      return pauseAfter(this.#failures, error)
    }
  }

  async #ask(waitMs: number): Promise<PollRevocationsResponse> {
    const { caller, start, boundMs } = this.#options
    const begin = start === 'now' ? RevocationStart.NOW : RevocationStart.HISTORY
    const from: MessageInitShape<typeof PollRevocationsRequestSchema>['from'] =
      this.#cursor === null ? { case: 'start', value: begin } : { case: 'cursor', value: this.#cursor }
    return await callAs(caller, async (client, bearer) => {
      const request = { ...client, from, wait: durationFromMs(waitMs) }
      return await this.#channel.unary(TokenService.method.pollRevocations, request, {
        ...bearer,
        timeoutMs: waitMs + boundMs / 3,
        signal: this.#closed.signal,
      })
    })
  }
}

function pauseAfter(failures: number, error: unknown): number {
  const jitter = 0.5 + Math.random() / 2
  if (error instanceof QScopeError && isRefused(error)) return REFUSED_PAUSE_MS * jitter
  const asked = error instanceof QScopeError ? (error.retryAfterMs ?? 0) : 0
  return Math.max(asked, Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS) * jitter)
}

/** Another bearer token is at hand at once. */
function isRefused({ status, reason }: QScopeError): boolean {
  return REFUSED.has(status) && reason !== 'OAUTH_INVALID_TOKEN'
}

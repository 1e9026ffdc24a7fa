import { abortable } from '../abortable.ts'
import { QScopeError } from '../qscope-error.ts'
import { type Stopwatch, stopwatch } from '../stopwatch.ts'
import type { AccessToken, TokenSource } from './access-token.ts'

/** What a token source tells of itself. */
export interface Watchers {
  /** An early renewal failed; the token at hand stays in use, and another attempt follows. */
  readonly onRenewalFailure?: ((error: unknown) => void) | undefined
}

/** A token is renewed in the last fifth of its life at the earliest, and never more than this early. */
const EARLIEST_SHARE = 0.2
const EARLIEST_MS = 600_000
/** At the end of its life a token is on its way to a server that may find it expired. */
const LAST_SHARE = 0.05
const LAST_MS = 5_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
/** A server that refuses every token must not make its callers mint one for each call. */
const DISCARD_PAUSE_MS = 5_000

/** Keeps one access token good: one request at a time, renewed early, at a moment that instances do not share. */
export class KeptToken implements TokenSource {
  readonly #fetch: () => Promise<AccessToken>
  readonly #watchers: Watchers
  #current: AccessToken | null
  #flight: Promise<AccessToken> | null = null
  /** How much of its life a token has left when it is renewed. */
  #earlyMs = 0
  #failures = 0
  #pauseMs = 0
  #sinceFailure: Stopwatch = stopwatch()
  #sinceDiscard: Stopwatch | null = null

  constructor(fetch: () => Promise<AccessToken>, watchers: Watchers, current: AccessToken | null = null) {
    this.#fetch = fetch
    this.#watchers = watchers
    this.#current = current
    if (current !== null) this.#keep(current)
  }

  async token({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<AccessToken> {
    signal?.throwIfAborted()
    const current = this.#current
    if (current === null || !isUsable(current)) return await abortable(this.#renew(), signal)
    if (current.remainingMs() <= this.#earlyMs && this.#sinceFailure() >= this.#pauseMs) {
      this.#renew().catch((error: unknown) => this.#watchers.onRenewalFailure?.(error))
    }
    return current
  }

  discard(value: string): void {
    if (this.#current?.value !== value) return
    if (this.#sinceDiscard !== null && this.#sinceDiscard() < DISCARD_PAUSE_MS) return
    this.#sinceDiscard = stopwatch()
    this.#current = null
  }

  #renew(): Promise<AccessToken> {
    this.#flight ??= this.#fetch()
      .then(
        (token) => this.#keep(token),
        (error: unknown) => {
          this.#sinceFailure = stopwatch()
          this.#pauseMs = pauseAfter(this.#failures, error)
          this.#failures += 1
          throw error
        },
      )
      .finally(() => {
        this.#flight = null
      })
    return this.#flight
  }

  #keep(token: AccessToken): AccessToken {
    this.#current = token
    this.#failures = 0
    this.#pauseMs = 0
    this.#earlyMs = Math.min(token.lifetimeMs * EARLIEST_SHARE, EARLIEST_MS) * (0.5 + Math.random() / 2)
    return token
  }
}

function isUsable(token: AccessToken): boolean {
  return token.remainingMs() > Math.min(token.lifetimeMs * LAST_SHARE, LAST_MS)
}

function pauseAfter(failures: number, error: unknown): number {
  const asked = error instanceof QScopeError ? (error.retryAfterMs ?? 0) : 0
  const own = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)
  return Math.max(asked, own)
}

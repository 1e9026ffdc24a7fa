import { actorOf, type CallContext } from '../context.ts'
import type { CounterSync } from './counter-sync.ts'
import { RateLimiter } from './rate-limiter.ts'

/** RFC 8628 §5.1: a person mistypes a few times; a guesser has to try for years. */
const PER_ATTEMPT_KEY = { burst: 10, perMinute: 1 }
/** The whole front-end, so that made-up attempt keys do not help. */
const PER_CALLER = { burst: 100, perMinute: 60 }

type CountedCall = Pick<CallContext, 'caller' | 'peer' | 'now'>

/**
 * Limits wrong user codes, by the end user that a front-end tells apart and by
 * the front-end itself. Each attempt is counted before the code is looked up, so
 * that parallel guesses do not slip through; a right one is given back.
 */
export class UserCodeAttempts {
  readonly #keys: RateLimiter
  readonly #callers: RateLimiter

  constructor(counterSync: CounterSync) {
    this.#keys = new RateLimiter(PER_ATTEMPT_KEY, { counterSync, name: 'user-codes-of-attempt-keys' })
    this.#callers = new RateLimiter(PER_CALLER, { counterSync, name: 'user-codes-of-callers' })
  }

  /** `false`: too many wrong ones. */
  begin(ctx: CountedCall, attemptKey: string | null): boolean {
    const caller = actorOf(ctx)
    if (!this.#callers.take(caller, ctx.now)) return false
    if (attemptKey === null || this.#keys.take(keyOf(caller, attemptKey), ctx.now)) return true
    this.#callers.giveBack(caller)
    return false
  }

  /** The code was right after all. */
  forgive(ctx: CountedCall, attemptKey: string | null): void {
    const caller = actorOf(ctx)
    this.#callers.giveBack(caller)
    if (attemptKey !== null) this.#keys.giveBack(keyOf(caller, attemptKey))
  }
}

function keyOf(caller: string, attemptKey: string): string {
  return JSON.stringify([caller, attemptKey])
}

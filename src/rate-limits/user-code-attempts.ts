import { actorOf, type CallContext } from '../context.ts'
import type { CounterSync } from './counter-sync.ts'
import { RateLimiter } from './rate-limiter.ts'

/** RFC 8628 §5.1: enough for a few typing errors; guessing a code would take years. */
const PER_ATTEMPT_KEY = { burst: 10, perMinute: 1 }
/** The limit of a whole front end, which made-up attempt keys cannot avoid. */
const PER_CALLER = { burst: 100, perMinute: 60 }

type CountedCall = Pick<CallContext, 'caller' | 'peer' | 'now'>

/**
 * Limits wrong user codes, per end user of a front end and per front end. Each attempt is
 * counted before the code is looked up, so parallel guesses cannot exceed the limit. A
 * correct code is not counted.
 */
export class UserCodeAttempts {
  readonly #keys: RateLimiter
  readonly #callers: RateLimiter

  constructor(counterSync: CounterSync) {
    this.#keys = new RateLimiter(PER_ATTEMPT_KEY, { counterSync, name: 'user-codes-of-attempt-keys' })
    this.#callers = new RateLimiter(PER_CALLER, { counterSync, name: 'user-codes-of-callers' })
  }

  /** Counts an attempt; `false` after too many wrong codes. */
  begin(ctx: CountedCall, attemptKey: string | null): boolean {
    const caller = actorOf(ctx)
    if (!this.#callers.take(caller, ctx.now)) return false
    if (attemptKey === null || this.#keys.take(keyOf(caller, attemptKey), ctx.now)) return true
    this.#callers.giveBack(caller)
    return false
  }

  /** Uncounts an attempt, because its code was correct. */
  forgive(ctx: CountedCall, attemptKey: string | null): void {
    const caller = actorOf(ctx)
    this.#callers.giveBack(caller)
    if (attemptKey !== null) this.#keys.giveBack(keyOf(caller, attemptKey))
  }
}

function keyOf(caller: string, attemptKey: string): string {
  return JSON.stringify([caller, attemptKey])
}

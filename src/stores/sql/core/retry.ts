import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreContext } from '../../contract/context.ts'
import type { RetryCause } from '../../contract/store-observer.ts'
import { DatabaseError } from './database-error.ts'

/** The retry time of a call without a deadline. */
const DEFAULT_RETRY_MS = 5_000
const FIRST_DELAY_MS = 4
const MAX_DELAY_MS = 200
/** A stale connection is replaced once. There is no wait for a server that is down. */
const MAX_ATTEMPTS_WHEN_LOST = 2

/** The time of the last retry, in epoch milliseconds. */
export function retryUntil(ctx: Pick<StoreContext, 'deadline'>): number {
  return ctx.deadline ?? Date.now() + DEFAULT_RETRY_MS
}

/** An error that a retry may avoid. */
export type RetryableError = DatabaseError & { readonly kind: RetryCause }

/** Whether a failed attempt wrote nothing and another one before `until` may succeed. */
export function isRetryable(error: unknown, attempts: number, until: number): error is RetryableError {
  if (!(error instanceof DatabaseError)) return false
  switch (error.kind) {
    case 'conflict':
    case 'busy':
      return Date.now() < until
    case 'lost':
      return attempts < MAX_ATTEMPTS_WHEN_LOST && Date.now() < until
    default:
      return false
  }
}

/** Waits longer after each attempt, with jitter, so that conflicting callers do not meet again. */
export async function backOff(attempts: number, until: number, jitter: () => number): Promise<void> {
  const span = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1))
  await sleep(Math.max(0, Math.min(span * (0.5 + jitter()), until - Date.now())))
}

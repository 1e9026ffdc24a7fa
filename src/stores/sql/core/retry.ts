import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreContext } from '../../contract/context.ts'
import type { RetryCause } from '../../contract/store-observer.ts'
import { DatabaseError } from './database-error.ts'

/** How long a call without a deadline is retried. */
const DEFAULT_RETRY_MS = 5_000
const FIRST_DELAY_MS = 4
const MAX_DELAY_MS = 200
/** A connection that went stale is replaced once; a server that is down is not waited for. */
const MAX_ATTEMPTS_WHEN_LOST = 2

/** When a call gives up, in epoch milliseconds. */
export function retryUntil(ctx: Pick<StoreContext, 'deadline'>): number {
  return ctx.deadline ?? Date.now() + DEFAULT_RETRY_MS
}

/** An error that another attempt may not meet. */
export type RetryableError = DatabaseError & { readonly kind: RetryCause }

/** Whether a failed attempt left nothing behind and another one before `until` may do better. */
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

/** Waits longer with every attempt, and each caller a different time, so that those that conflicted do not meet again. */
export async function backOff(attempts: number, until: number, jitter: () => number): Promise<void> {
  const span = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1))
  await sleep(Math.max(0, Math.min(span * (0.5 + jitter()), until - Date.now())))
}

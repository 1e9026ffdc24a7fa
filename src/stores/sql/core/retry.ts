import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreContext } from '../../contract/context.ts'
import type { RetryCause } from '../../store-observer.ts'
import { DatabaseError } from './database-error.ts'

/** How long a call without a deadline is tried. */
const PATIENCE_MS = 5_000
const FIRST_DELAY_MS = 4
const LONGEST_DELAY_MS = 200
/** A connection that went stale is replaced once; a server that is down is not waited for. */
const LOST_ATTEMPTS = 2

/** When a call gives up, in epoch milliseconds. */
export function patienceOf(ctx: Pick<StoreContext, 'deadline'>): number {
  return ctx.deadline ?? Date.now() + PATIENCE_MS
}

/** Trouble that may be over at the next try. */
export type Passing = DatabaseError & { readonly kind: RetryCause }

/** Whether a failed attempt left nothing behind and another one before `until` may do better. */
export function isWorthAnotherTry(error: unknown, attempts: number, until: number): error is Passing {
  if (!(error instanceof DatabaseError)) return false
  switch (error.kind) {
    case 'conflict':
    case 'busy':
      return Date.now() < until
    case 'lost':
      return attempts < LOST_ATTEMPTS && Date.now() < until
    default:
      return false
  }
}

/** Waits longer with every attempt, each caller a different time, so that losers do not meet again. */
export async function backOff(attempts: number, until: number, jitter: () => number): Promise<void> {
  const span = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1))
  await sleep(Math.max(0, Math.min(span * (0.5 + jitter()), until - Date.now())))
}

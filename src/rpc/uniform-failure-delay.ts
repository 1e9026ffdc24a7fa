import type { Result } from '../results.ts'

/** Above what the look-ups take on a database that is not overloaded. */
const FAILURE_DELAY_MS = 5

/** Calls that begin in one millisecond share a timer. */
let begun = Number.NaN
let due: Promise<void> = Promise.resolve()

/**
 * Hands a refusal on no sooner than 5 ms after the call began: a client that is
 * there costs some rows more to read than one that is not, and the difference
 * must not tell them apart. The timer starts before the look-ups, so what they
 * take does not show in when it ends. Who is admitted waits for nothing.
 */
export async function withUniformFailureDelay<T>(judge: () => Promise<Result<T>>): Promise<Result<T>> {
  const evenly = fromNow()
  const result = await judge()
  if (!result.ok) await evenly
  return result
}

function fromNow(): Promise<void> {
  const now = Math.floor(performance.now())
  if (now !== begun) {
    begun = now
    due = new Promise((resolve) => setTimeout(resolve, FAILURE_DELAY_MS))
  }
  return due
}

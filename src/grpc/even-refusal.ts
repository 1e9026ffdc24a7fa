import type { Result } from '../results.ts'

/** Above what the look-ups take on a database that is not overloaded. */
const REFUSAL_MS = 5

/**
 * Hands a refusal on no sooner than 5 ms after the call began: a client that is
 * there costs some rows more to read than one that is not, and the difference
 * must not tell them apart. The timer starts before the look-ups, so what they
 * take does not show in when it ends. Who is admitted waits for nothing.
 */
export async function evenRefusal<T>(judge: () => Promise<Result<T>>): Promise<Result<T>> {
  const { promise: due, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, REFUSAL_MS)
  try {
    const result = await judge()
    if (!result.ok) await due
    return result
  } finally {
    clearTimeout(timer)
  }
}

/** How long answers that are ready may take to leave before their connections are cut, in milliseconds. */
export const FLUSH_MS = 1_000

/** Whether the promise settles in time; the timer keeps no process alive. */
export async function settlesWithin(ms: number, promise: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), ms)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

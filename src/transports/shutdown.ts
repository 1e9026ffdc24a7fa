/** How long finished answers may take to be sent before their connections are closed, in milliseconds. */
export const FLUSH_MS = 1_000

/** Returns whether the promise settles in time. The timer does not keep the process alive. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), ms)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Work that is done again and again until it is stopped. */
export interface Repetition {
  /** Nothing begins after this. */
  stop(): void
}

/**
 * Does `work`, which must not fail, `delayMs()` after the start and again that
 * long after each end. Keeps no process alive.
 */
export function repeat(delayMs: () => number, work: () => Promise<void>): Repetition {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const schedule = () => {
    if (!stopped) timer = setTimeout(() => void work().then(schedule), delayMs()).unref()
  }
  schedule()
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

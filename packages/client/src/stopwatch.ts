/**
 * Milliseconds that have passed since it was made, by the clock that went
 * further: one stands still while a machine sleeps, the other may be set back.
 */
export type Stopwatch = () => number

export function stopwatch(): Stopwatch {
  const wall = Date.now()
  const steady = performance.now()
  return () => Math.max(Date.now() - wall, performance.now() - steady)
}

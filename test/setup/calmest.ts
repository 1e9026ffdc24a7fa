const MOST_WINDOWS = 3

/**
 * The smallest of up to three sequential measurements. Stops at the first one below the bound. A stall of the machine, such
 * as a second of its disk, affects one measurement. Slow software affects all of them.
 */
export async function calmest(bound: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let window = 0; window < MOST_WINDOWS && !(least < bound); window += 1) least = Math.min(least, await measure())
  return least
}

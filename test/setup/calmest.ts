const MOST_WINDOWS = 3

/**
 * The smallest of up to three measurements, one after the other; the first one below the bound is the last. A stall
 * of the machine, such as a second of its disk, is in one of them; what the software itself does is in each.
 */
export async function calmest(bound: number, measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let window = 0; window < MOST_WINDOWS && !(least < bound); window += 1) least = Math.min(least, await measure())
  return least
}

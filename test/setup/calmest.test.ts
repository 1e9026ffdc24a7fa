import { describe, expect, it } from 'vitest'
import { calmest } from './calmest.ts'

/** Returns one of these values for each measurement. */
function measuring(...values: readonly number[]) {
  const left = [...values]
  return { left, measure: async () => left.shift() ?? Number.NaN }
}

describe('the calmest of a few windows', () => {
  it('is the first one where that is below the bound, and no further one is measured', async () => {
    const { left, measure } = measuring(9, 5)
    expect(await calmest(10, measure)).toBe(9)
    expect(left).toEqual([5])
  })

  it('is not the one in which the machine stalled', async () => {
    expect(await calmest(10, measuring(1_000, 8, 1).measure)).toBe(8)
    expect(await calmest(10, measuring(1_000, 10, 7).measure)).toBe(7)
  })

  it('is as bad as the best of three where each is beyond the bound', async () => {
    const { left, measure } = measuring(1_000, 900, 1_100, 1)
    expect(await calmest(10, measure)).toBe(900)
    expect(left).toEqual([1])
  })
})

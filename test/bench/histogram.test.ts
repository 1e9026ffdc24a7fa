import { describe, expect, it } from 'vitest'
import { Histogram } from '../../bench/load/histogram.ts'

describe('a histogram of latencies', () => {
  it('returns quantiles within one percent', () => {
    const histogram = new Histogram()
    for (let microseconds = 1; microseconds <= 100_000; microseconds += 1) histogram.record(microseconds)
    for (const share of [0.5, 0.9, 0.99]) {
      expect((histogram.quantile(share) ?? 0) / (share * 100_000)).toBeCloseTo(1, 1.7)
    }
  })

  it('returns null without values, and accepts values out of range', () => {
    const histogram = new Histogram()
    expect(histogram.quantile(0.5)).toBeNull()
    histogram.record(0)
    histogram.record(1e12)
    expect(histogram.total).toBe(2)
  })
})

import { describe, expect, it } from 'vitest'
import { formatRate, parseRate } from '../../src/config/value-types.ts'

describe('a rate', () => {
  it.each([
    ['10/s', { perMinute: 600, burst: 10 }],
    ['10/s:50', { perMinute: 600, burst: 50 }],
    ['90/m:1', { perMinute: 90, burst: 1 }],
    ['30/h', { perMinute: 0.5, burst: 30 }],
  ])('is parsed from %s, and formatted so that it parses to the same value', (text, rate) => {
    expect(parseRate(text)).toEqual(rate)
    expect(parseRate(formatRate(rate))).toEqual(rate)
  })

  it.each(['', '10', '0/s', '10/s:0', '-1/s', '1.5/s', '10/d', '10/s:', '10 /s'])('is not parsed from "%s"', (text) => {
    expect(parseRate(text)).toBeNull()
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expiryAfter, expiryWithin, timeLeft } from '../../src/domain/expiry.ts'
import { epochMs, milliseconds } from '../../src/domain/ids.ts'

const moment = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 })
const span = fc.integer({ min: 1_000, max: 63_072_000_000 })

describe('expiry', () => {
  it('is a whole second, not after the span, and after now', () => {
    fc.assert(
      fc.property(moment, span, (now, ms) => {
        const end = expiryAfter(epochMs(now), milliseconds(ms))
        expect(end % 1_000).toBe(0)
        expect(end).toBeGreaterThan(now)
        expect(end).toBeLessThanOrEqual(now + ms)
        expect(end).toBeGreaterThan(now + ms - 1_000)
      }),
    )
  })

  it('is not after the end of what it depends on, which is a whole second', () => {
    fc.assert(
      fc.property(moment, span, span, (now, ms, others) => {
        const latest = expiryAfter(epochMs(now - 500), milliseconds(others + 500))
        const end = expiryWithin(epochMs(now), milliseconds(ms), latest)
        expect(end).toBe(Math.min(latest, expiryAfter(epochMs(now), milliseconds(ms))))
      }),
    )
  })

  it('of less than a second is the end of the current second', () => {
    expect(expiryAfter(epochMs(1_500), milliseconds(200))).toBe(2_000)
    expect(expiryWithin(epochMs(1_500), milliseconds(60_000), epochMs(1_700))).toBe(2_000)
  })

  it('is reported as the time left: whole seconds, rounded down, and zero only when it is over', () => {
    fc.assert(
      fc.property(moment, span, fc.integer({ min: 0, max: 3_600_000 }), (now, ms, later) => {
        const end = expiryAfter(epochMs(now), milliseconds(ms))
        const left = timeLeft(end, epochMs(now + later))
        expect(left).toBeLessThanOrEqual(Math.max(0, end - now - later))
        expect(left === 0).toBe(now + later >= end)
        if (left >= 1_000) expect(left % 1_000).toBe(0)
      }),
    )
    expect([1_999, 1_000, 999, 1, 0, -5].map((left) => timeLeft(epochMs(left), epochMs(0)))).toEqual([
      1_000, 1_000, 999, 1, 0, 0,
    ])
  })
})

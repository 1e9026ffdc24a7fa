import { describe, expect, it } from 'vitest'
import { RecentRates } from '../../src/telemetry/recent-rates.ts'

describe('recent rates', () => {
  function measured() {
    const counted = { mints: 0, refused: 0 }
    let now = 1_000
    const rates = new RecentRates(
      () => ({
        calls: new Map([
          ['Service/Mint', counted.mints],
          ['Service/Never', 0],
        ]),
        refusals: new Map([['oauth.invalid_scope', counted.refused] as const]),
      }),
      () => now,
    )
    return {
      rates,
      counted,
      pass: (seconds: number) => {
        for (let each = 0; each < seconds; each += 5) {
          now += 5_000
          rates.sample()
        }
      },
    }
  }

  it('are averages since the start in the first minute', () => {
    const { rates, counted, pass } = measured()
    counted.mints = 100
    pass(10)
    const { window, calls, refusals } = rates.read()
    expect(window).toBe(10_000)
    expect(calls).toEqual([{ name: 'Service/Mint', count: 100, perSecond: 10 }])
    expect(refusals).toEqual([])
  })

  it('exclude what is older than a minute, except for the total', () => {
    const { rates, counted, pass } = measured()
    counted.mints = 600
    counted.refused = 6
    pass(120)
    counted.mints += 120
    const { window, calls, refusals } = rates.read()
    expect(window).toBe(60_000)
    expect(calls).toEqual([{ name: 'Service/Mint', count: 720, perSecond: 2 }])
    expect(refusals).toEqual([{ name: 'oauth.invalid_scope', count: 6, perSecond: 0 }])
  })

  it('use the last sample if none was taken for a long time', () => {
    const { rates, counted, pass } = measured()
    pass(5)
    counted.mints = 50
    expect(rates.read().calls).toEqual([{ name: 'Service/Mint', count: 50, perSecond: 10 }])
  })
})

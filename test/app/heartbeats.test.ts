import { describe, expect, it } from 'vitest'
import { Heartbeats, MOST_MISSED, MOST_MISSED_AT_START } from '../../src/app/cluster/heartbeats.ts'

/** What so many looks say, the last of them. */
function afterLooks(heartbeats: Heartbeats, looks: number, isLoading = false): boolean {
  return Array.from({ length: looks }, () => heartbeats.looked(isLoading)).at(-1) ?? false
}

describe('a worker', () => {
  it('hangs when it was not heard of in 30 looks of the primary, and no sooner', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterLooks(heartbeats, MOST_MISSED)).toBe(false)
    expect(heartbeats.looked(false)).toBe(true)
    expect(MOST_MISSED).toBe(30)
  })

  it('that is heard of once begins anew', () => {
    const heartbeats = new Heartbeats(0)
    for (let n = 1; n <= 5; n += 1) {
      expect(afterLooks(heartbeats, MOST_MISSED)).toBe(false)
      heartbeats.heard(n)
      expect(heartbeats.lastHeardAt).toBe(n)
    }
  })

  it('that is loading has ten times as long', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterLooks(heartbeats, MOST_MISSED_AT_START, true)).toBe(false)
    expect(heartbeats.looked(true)).toBe(true)
  })

  it('hangs by no clock: hours between two looks, in which the primary stood still, are one', () => {
    const heartbeats = new Heartbeats(0)
    heartbeats.heard(3_600_000)
    expect(heartbeats.looked(false)).toBe(false)
    expect(heartbeats.isAlive).toBe(true)
  })

  it('is not taken for alive long before it is taken for hanging', () => {
    const heartbeats = new Heartbeats(0)
    afterLooks(heartbeats, 3)
    expect(heartbeats.isAlive).toBe(false)
  })
})

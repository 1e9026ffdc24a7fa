import { describe, expect, it } from 'vitest'
import { Heartbeats, MAX_MISSED, MAX_MISSED_AT_START } from '../../src/app/cluster/heartbeats.ts'

/** What the last of so many checks says. */
function afterChecks(heartbeats: Heartbeats, checks: number, isLoading = false): boolean {
  return Array.from({ length: checks }, () => heartbeats.check(isLoading)).at(-1) ?? false
}

describe('a worker', () => {
  it('hangs after 30 checks of the primary without a heartbeat, and no sooner', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterChecks(heartbeats, MAX_MISSED)).toBe(false)
    expect(heartbeats.check(false)).toBe(true)
    expect(MAX_MISSED).toBe(30)
  })

  it('that sends one heartbeat begins anew', () => {
    const heartbeats = new Heartbeats(0)
    for (let n = 1; n <= 5; n += 1) {
      expect(afterChecks(heartbeats, MAX_MISSED)).toBe(false)
      heartbeats.beat(n)
      expect(heartbeats.lastBeatAt).toBe(n)
    }
  })

  it('that is loading has ten times as long', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterChecks(heartbeats, MAX_MISSED_AT_START, true)).toBe(false)
    expect(heartbeats.check(true)).toBe(true)
  })

  it('hangs by no clock: hours between two checks, in which the primary stood still, are one', () => {
    const heartbeats = new Heartbeats(0)
    heartbeats.beat(3_600_000)
    expect(heartbeats.check(false)).toBe(false)
    expect(heartbeats.isAlive).toBe(true)
  })

  it('is not taken for alive long before it is taken for hanging', () => {
    const heartbeats = new Heartbeats(0)
    afterChecks(heartbeats, 3)
    expect(heartbeats.isAlive).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'
import { Heartbeats, MAX_MISSED, MAX_MISSED_AT_START } from '../../src/app/cluster/heartbeats.ts'

/** What the last of so many checks says. */
function afterChecks(heartbeats: Heartbeats, checks: number, isLoading = false): boolean {
  return Array.from({ length: checks }, () => heartbeats.check(isLoading)).at(-1) ?? false
}

describe('a worker', () => {
  it('hangs after 30 checks of the primary without a heartbeat, and not before', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterChecks(heartbeats, MAX_MISSED)).toBe(false)
    expect(heartbeats.check(false)).toBe(true)
    expect(MAX_MISSED).toBe(30)
  })

  it('that sends a heartbeat starts over', () => {
    const heartbeats = new Heartbeats(0)
    for (let n = 1; n <= 5; n += 1) {
      expect(afterChecks(heartbeats, MAX_MISSED)).toBe(false)
      heartbeats.beat(n)
      expect(heartbeats.lastBeatAt).toBe(n)
    }
  })

  it('that is loading has ten times the limit', () => {
    const heartbeats = new Heartbeats(0)
    expect(afterChecks(heartbeats, MAX_MISSED_AT_START, true)).toBe(false)
    expect(heartbeats.check(true)).toBe(true)
  })

  it('is counted by checks: hours between two checks, in which the primary was suspended, count as one', () => {
    const heartbeats = new Heartbeats(0)
    heartbeats.beat(3_600_000)
    expect(heartbeats.check(false)).toBe(false)
    expect(heartbeats.isAlive).toBe(true)
  })

  it('does not count as alive shortly before it counts as hanging', () => {
    const heartbeats = new Heartbeats(0)
    afterChecks(heartbeats, 3)
    expect(heartbeats.isAlive).toBe(false)
  })
})

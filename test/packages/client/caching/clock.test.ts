import { describe, expect, it } from 'vitest'
import { type Clock, Timekeeper } from '../../../../packages/client/src/verification/caching/clock.ts'
import type { Step } from './cases.ts'
import { runCase } from './run-case.ts'

const HOUR_MS = 3_600_000
const began = Date.UTC(2026, 0, 1)

/** Clocks that show the time that a test sets. */
function given() {
  let [monotonicMs, wallMs] = [5_000, began]
  const clock: Clock = { monotonicMs: () => monotonicMs, wallMs: () => wallMs, pause: () => Promise.resolve() }
  const time = new Timekeeper(clock).read()
  const move = (monotonic: number, wall: number) => {
    monotonicMs += monotonic
    wallMs += wall
    return time.read()
  }
  return { time, move }
}

describe('the time of a Timekeeper', () => {
  it('follows the monotonic clock when the wall clock is set back', () => {
    const { move } = given()
    expect(move(1_000, -HOUR_MS).timeMs).toBe(began + 1_000)
  })

  it('follows a corrected wall clock after setRight(), once the correction is older than the leeway', () => {
    const { time, move } = given()
    move(0, 2 * HOUR_MS)
    move(1_000, -2 * HOUR_MS)
    expect(move(60_000, 60_000).wasAhead).toBe(false)
    time.setRight()
    expect(time.timeMs).toBe(began + 2 * HOUR_MS + 61_000)
    expect(move(1, 1).wasAhead).toBe(true)
    time.setRight()
    expect([time.timeMs, time.wasAhead]).toEqual([began + 60_001, false])
  })

  it('restarts the leeway when the wall clock jumps ahead again', () => {
    const { move } = given()
    move(0, 2 * HOUR_MS)
    move(1_000, -2 * HOUR_MS)
    move(50_000, 50_000 + 2 * HOUR_MS)
    move(1_000, -2 * HOUR_MS)
    expect(move(59_000, 59_000).wasAhead).toBe(false)
    expect(move(2_000, 2_000).wasAhead).toBe(true)
  })

  it('is the latest time of the wall clock since the correction, if that clock jumped meanwhile', () => {
    const { time, move } = given()
    move(0, 3 * HOUR_MS)
    move(0, -3 * HOUR_MS)
    move(0, HOUR_MS)
    move(61_000, -HOUR_MS)
    time.setRight()
    expect(time.timeMs).toBe(began + HOUR_MS + 61_000)
  })

  it('ignores a correction by no more than the leeway, and a suspended machine', () => {
    const { move } = given()
    move(0, 60_000)
    move(0, -60_000)
    move(0, 5 * HOUR_MS)
    expect(move(2 * HOUR_MS, 2 * HOUR_MS).wasAhead).toBe(false)
  })
})

describe('a verifier whose wall clock was ahead and then corrected', () => {
  const whileGood: Step[] = Array.from({ length: 7 }, () => [
    { clock: { monotonic_ms: 9_000, wall_ms: 9_000 } },
    { poll: 'answered' as const, covered_ms: 9_000, next: 'goes-on' },
  ]).flat()

  it.each(['now', 'history'] as const)('restarts its feed, which started from %s', async (start) => {
    await runCase({
      name: 'a new run',
      start,
      steps: [
        { poll: 'answered', from: start },
        { clock: { monotonic_ms: 0, wall_ms: 2 * HOUR_MS } },
        { poll: 'answered' },
        { clock: { monotonic_ms: 1_000, wall_ms: -2 * HOUR_MS } },
        { poll: 'answered' },
        ...whileGood,
        { poll: 'answered', from: start, next: 'new-run' },
        { poll: 'answered', from: 'new-run' },
      ],
    })
  })
})

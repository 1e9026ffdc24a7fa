import { describe, expect, it } from 'vitest'
import { RestartPolicy, STABLE_AFTER_MS } from '../../src/app/cluster/worker-pool.ts'

/** Ends so many workers that never served, and tells what each successor waits. */
function delaysAfter(restarts: RestartPolicy, ends: number): readonly number[] {
  return Array.from({ length: ends }, () => {
    restarts.recordExit(0)
    return restarts.delayMs()
  })
}

describe('a worker that ended', () => {
  it('is replaced at once, and the next ones after growing delays, up to 5 s', () => {
    expect(delaysAfter(new RestartPolicy(), 9)).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  it('is replaced at once after a long run', () => {
    const restarts = new RestartPolicy()
    delaysAfter(restarts, 5)
    restarts.recordExit(STABLE_AFTER_MS)
    expect(restarts.delayMs()).toBe(0)
  })

  it('is given up after five short runs, unless another worker is stable', () => {
    const restarts = new RestartPolicy()
    delaysAfter(restarts, 5)
    expect(restarts.isCrashLoop(false)).toBe(false)
    restarts.recordExit(STABLE_AFTER_MS - 1)
    expect(restarts.isCrashLoop(true)).toBe(false)
    expect(restarts.isCrashLoop(false)).toBe(true)
  })
})

import { expect, test, vi } from 'vitest'
import { ClockWatch } from '../../src/app/jobs/clock-watch.ts'
import { epochMs, milliseconds } from '../../src/domain/ids.ts'

const NOON = 1_800_000_000_000

/** A machine and a database server, each with a clock of its own. */
function twoMachines() {
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  let passed = 0
  let here = NOON
  let there = NOON
  let slow = 0
  const asked = vi.fn(async () => {
    passed += slow
    return epochMs(there + passed)
  })
  const watch = new ClockWatch({
    databaseTime: asked,
    allowed: milliseconds(30_000),
    log,
    wallClock: () => here + passed,
    monotonicClock: () => passed,
  })
  return {
    watch,
    log,
    asked,
    pass: (ms: number) => {
      passed += ms
    },
    putHere: (ms: number) => {
      here += ms
    },
    putThere: (ms: number) => {
      there += ms
    },
    letAnswersTake: (ms: number) => {
      slow = ms
    },
  }
}

test('a clock is right within the allowed difference, ahead or behind, and wrong beyond it', async () => {
  const { watch, putHere } = twoMachines()
  expect(watch.aheadMs).toBeNull()
  expect(await watch.isRight()).toBe(true)
  for (const [ms, isRight] of [
    [30_000, true],
    [1, false],
    [-60_001, true],
    [-1, false],
  ] as const) {
    putHere(ms)
    await watch.compare()
    expect(await watch.isRight()).toBe(isRight)
  }
  expect(watch.aheadMs).toBe(-30_001)
})

test('the database is queried once at first, and not by later callers', async () => {
  const { watch, asked, pass } = twoMachines()
  expect(await Promise.all([watch.isRight(), watch.isRight(), watch.isRight()])).toEqual([true, true, true])
  pass(3_600_000)
  expect(watch.isRight()).toBe(true)
  expect(asked).toHaveBeenCalledTimes(1)
})

test('a clock that is set forward or back is wrong at once, before the next query', async () => {
  const { watch, putHere } = twoMachines()
  await watch.compare()
  putHere(3_600_000)
  expect(await watch.isRight()).toBe(false)
  putHere(-3_600_000)
  expect(watch.isRight()).toBe(true)
  putHere(-3_600_000)
  expect(await watch.isRight()).toBe(false)
  await watch.compare()
  expect(await watch.isRight()).toBe(false)
})

test('a suspended machine is not wrong: its monotonic clock stopped, too', async () => {
  const { watch, asked, putHere, putThere } = twoMachines()
  await watch.compare()
  putHere(600_000)
  putThere(600_000)
  expect(await watch.isRight()).toBe(true)
  expect(watch.isRight()).toBe(true)
  expect(asked).toHaveBeenCalledTimes(2)
})

test("the database's clock counts: when it is set, the machine's is wrong from the next query on", async () => {
  const { watch, putThere, log } = twoMachines()
  await watch.compare()
  putThere(-600_000)
  await watch.compare()
  expect(await watch.isRight()).toBe(false)
  expect(watch.aheadMs).toBe(600_000)
  await watch.compare()
  expect(log.error).toHaveBeenCalledExactlyOnceWith(
    { aheadMs: 600_000, allowedMs: 30_000 },
    expect.stringContaining('this instance issues no tokens'),
  )
  putThere(600_000)
  await watch.compare()
  expect(watch.isRight()).toBe(true)
  expect(log.info).toHaveBeenCalledOnce()
})

test('the duration of an answer does not count as a difference, and a slow answer is ignored', async () => {
  const { watch, letAnswersTake, putThere } = twoMachines()
  letAnswersTake(4_000)
  await watch.compare()
  expect(watch.aheadMs).toBe(0)
  putThere(600_000)
  letAnswersTake(6_000)
  await watch.compare()
  expect(watch.isRight()).toBe(true)
})

test('an unreachable database is an error for the first caller, and changes nothing later', async () => {
  const { watch, asked } = twoMachines()
  asked.mockRejectedValueOnce(new Error('gone'))
  await expect(watch.isRight()).rejects.toThrow('gone')
  expect(await watch.isRight()).toBe(true)
  asked.mockRejectedValueOnce(new Error('gone'))
  await expect(watch.compare()).rejects.toThrow('gone')
  expect(watch.isRight()).toBe(true)
})

import { describe, expect, test } from 'vitest'
import { PollPace as ClientPackagePace } from '../../packages/client/src/poll-pace.ts'
import { PollPace } from '../../src/cli/connection/poll-pace.ts'

/** RFC 8628 §3.2, §3.5. */
describe.each([
  ['the command line', PollPace],
  ['the client package', ClientPackagePace],
])('the pace at which %s polls', (_whose, Pace) => {
  test.each([null, 0, -1, Number.NaN])('is 5 s if the server says %s', (intervalMs) => {
    expect(new Pace(intervalMs).waitMs).toBe(5_000)
  })

  test('is that of the server, from 1 s to an hour', () => {
    expect(new Pace(7_000).waitMs).toBe(7_000)
    expect(new Pace(0.001).waitMs).toBe(1_000)
    // A timer of Node.js with more than 2^31 - 1 ms would fire at once.
    expect(new Pace(2 ** 31).waitMs).toBe(3_600_000)
    expect(new Pace(Number.POSITIVE_INFINITY).waitMs).toBe(3_600_000)
  })

  test('is 5 s slower after each slow_down', () => {
    const pace = new Pace(1_000)
    pace.slowDown(null)
    expect(pace.waitMs).toBe(6_000)
    pace.slowDown(null)
    expect(pace.waitMs).toBe(11_000)
  })

  test('is slower if slow_down says so, and never faster', () => {
    const pace = new Pace(1_000)
    pace.slowDown(20_000)
    expect(pace.waitMs).toBe(20_000)
    pace.slowDown(0)
    expect(pace.waitMs).toBe(25_000)
  })
})

test('the command line doubles the poll interval for an unreachable server each time, up to an hour', () => {
  const pace = new PollPace(1_000)
  pace.backOff(null)
  expect(pace.waitMs).toBe(2_000)
  pace.backOff(60_000)
  expect(pace.waitMs).toBe(60_000)
  for (let times = 0; times < 40; times += 1) pace.backOff(0)
  expect(pace.waitMs).toBe(3_600_000)
})

import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../src/config/duration.ts'

test.each([
  ['500ms', 500],
  ['0s', 0],
  ['10s', 10_000],
  ['1.5h', 5_400_000],
  ['30d', 2_592_000_000],
])('reads %s as %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '10', 's', '-1s', '1 s', '1w', '1e3s'])('rejects %j', (text) => {
  expect(parseDuration(text)).toBeNull()
})

test.each([0, 500, 1_000, 90_000, 3_600_000, 86_400_000, 1_234])(
  'formats %i ms so that it parses to the same value',
  (ms) => {
    expect(parseDuration(formatDuration(ms))).toBe(ms)
  },
)

import { expect, it } from 'vitest'
import { prettyLine } from '../../src/log/create-log.ts'

const TIME = '2026-01-02T03:04:05.678Z'
const lineOf = (fields: object) => prettyLine(JSON.stringify({ time: TIME, level: 'warn', ...fields }), false)

it('a pretty line has time, level, message and fields', () => {
  expect(lineOf({ msg: 'refused', rayId: 'abc', count: 3 })).toBe('03:04:05.678 warn  refused rayId=abc count=3\n')
})

it('control characters and line breaks in messages and fields are escaped', () => {
  const chosen = 'x\u001b[2J\u009b2J\n03:04:05.678 info  forged'
  const line = lineOf({ msg: chosen, name: chosen, nested: { chosen }, err: { stack: `Error: \u001b[2J\n    at x` } })
  const [first, ...others] = line.trimEnd().split('\n')
  expect(first).toContain('x\\u001b[2J\\u009b2J\\u000a03:04:05.678 info  forged')
  expect(others).toEqual(['    Error: \\u001b[2J', '        at x'])
  expect(line.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

import { describe, expect, test } from 'vitest'
import { prettyLine } from '../src/log/create-log.ts'
import { printable, printableLines } from '../src/printable.ts'

const STEERING: readonly (readonly [string, string, string])[] = [
  ['escape', '\u001b[2J', '\\u001b[2J'],
  ['a C1 control', '\u009b2J', '\\u009b2J'],
  ['delete', '\u007f', '\\u007f'],
  ['a turn of direction', '\u202egnp.exe\u202c', '\\u202egnp.exe\\u202c'],
  ['an isolate', '\u2066a\u2069', '\\u2066a\\u2069'],
  ['a zero-width space', 'ad\u200bmin', 'ad\\u200bmin'],
  ['a zero-width joiner', 'ad\u200dmin', 'ad\\u200dmin'],
  ['a byte order mark', '\ufeffadmin', '\\ufeffadmin'],
  ['a soft hyphen', 'ad\u00admin', 'ad\\u00admin'],
  ['a filler', 'ad\u3164min', 'ad\\u3164min'],
  ['a line separator', 'a\u2028b', 'a\\u2028b'],
  ['a tag beyond the basic plane', 'a\u{e0041}b', 'a\\udb40\\udc41b'],
  ['half a surrogate pair', 'a\ud800b', 'a\\ud800b'],
  ['a carriage return', 'good\rbad', 'good\\u000dbad'],
]

describe('what steers a terminal is escaped', () => {
  test.each(STEERING)('%s', (_name, text, shown) => {
    expect(printable(text)).toBe(shown)
    expect(printableLines(text)).toBe(shown)
    expect(
      prettyLine(JSON.stringify({ time: '', level: 'info', msg: 'x', text, nested: { text } }), false),
    ).not.toContain(text)
  })

  test('a line end is, unless it separates lines', () => {
    expect(printable('a\nb')).toBe('a\\u000ab')
    expect(printableLines('a\nb')).toBe('a\nb')
  })

  test('in JSON it stays the same data', () => {
    for (const [, text] of STEERING) {
      const document = { [text]: [text, { text }] }
      expect(JSON.parse(printableLines(JSON.stringify(document, null, 2)))).toEqual(document)
    }
  })

  test('and all other characters stay as they are', () => {
    const text = 'Łukasz, 東京, العربية, हिन्दी, 👍🏽, \\u001b, ½ – “quotes”'
    expect(printable(text)).toBe(text)
  })
})

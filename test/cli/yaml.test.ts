import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { yamlText } from '../../src/cli/output/yaml.ts'
import { printableLines } from '../../src/printable.ts'

describe('an answer as YAML', () => {
  test('is written in block style', () => {
    const answer = { client: { clientId: 'orders', scopes: ['a', 'b'], enabled: true, jwks: '' }, count: 3, none: null }
    expect(yamlText(answer)).toBe(
      [
        'client:',
        '  clientId: orders',
        '  scopes:',
        '    - a',
        '    - b',
        '  enabled: true',
        '  jwks: ""',
        'count: 3',
        'none: null',
        '',
      ].join('\n'),
    )
  })

  test.each([
    ['yes'],
    ['no'],
    ['null'],
    ['1e3'],
    ['2026-01-01'],
    ['- a'],
    ['a: b'],
    ['# a'],
    ['a\nb'],
    ['\u001b[2J\u202ex\u200b'],
  ])('keeps the text %j a text', (text) => {
    expect(parse(yamlText({ text }))).toEqual({ text })
  })

  test('is the same data after unprintable characters were escaped', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (drawn) => {
        // JSON has no negative zero.
        const value = JSON.parse(JSON.stringify(drawn))
        const written = printableLines(yamlText(value))
        expect(written).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{DI}\p{Zl}\p{Zp}]/u)
        expect(parse(written)).toEqual(value)
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parse(printableLines(yamlText({ [text]: [text] })))).toEqual({ [text]: [text] })
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import { hostileTexts } from './setup/hostile-texts.ts'
import { processorTimeOf } from './setup/processor-time.ts'
import { expressionsOf, type FoundExpression, literalsIn } from './setup/regular-expressions.ts'

const LENGTH = 30_000
/** An expression that passes over a text once. */
const CONTROL = /^[^\0]*\0?$/
/** The square of the length takes thousands of times as long as the control. */
const FACTOR = 10
const SLACK_MS = 60

/** The text, shortened, that an expression takes much longer for than for being read once; `null`: none is known. */
function weaknessOf(expression: RegExp): string | null {
  const timeOn = (text: string) => {
    // A sticky one would go on from where it was.
    expression.lastIndex = 0
    return processorTimeOf(() => expression.test(text))
  }
  // Short ones first: what grows faster than the square would never end with long ones.
  for (const length of [1_000, LENGTH]) {
    for (const text of hostileTexts(expression, length)) {
      // The first time may compile it, and counts only if the second is slow as well.
      if (timeOn(text) < SLACK_MS) continue
      const control = processorTimeOf(() => CONTROL.test(text))
      if (timeOn(text) > FACTOR * control + SLACK_MS) return text.slice(0, 40)
    }
  }
  return null
}

const found = expressionsOf(['src', 'packages/client/src'], 'proto/qscope')
const different = [...new Map(found.map((each) => [String(each.expression), each])).values()]

describe('the search for regular expressions', () => {
  it('tells them from divisions, comments and texts', () => {
    const source = [
      'const a = 1 / 2 / 3 // /no/',
      `const b = '/no/'.replace(/y[/]es/gi, \`/no/ \${c.match(/y\\/es/u)} /no/\`)`,
      '/* /no/ */ return /yes$/',
    ].join('\n')
    expect(literalsIn(source).map(String)).toEqual(['/y[/]es/i', '/y\\/es/u', '/yes$/'])
  })

  it('finds those of all layers and of the contract', () => {
    const places = found.map(({ place }) => place)
    for (const place of ['src/domain/', 'src/config/', 'src/rpc/', 'src/cli/', 'packages/client/', 'proto/']) {
      expect(places.some((each) => each.startsWith(place))).toBe(true)
    }
    expect(different.length).toBeGreaterThan(60)
  })

  it.each([/(?:eyJ[\w-]{8,}\.)x/, /\/+$/, /[?&][^=&]*token[^=&]*=/, /\{.*\}/s, /\s+\s+b/])(
    'sees that %s backtracks',
    (expression) => {
      expect(weaknessOf(expression)).not.toBeNull()
    },
  )
})

describe('a text of 30,000 characters', () => {
  it.each(different.map(({ place, expression }: FoundExpression) => [String(expression), place, expression] as const))(
    'is passed over once by %s of %s, whatever stands in it',
    (_text, _place, expression) => {
      expect(weaknessOf(expression)).toBeNull()
    },
  )
})

import { describe, expect, test } from 'vitest'
import { withExcerpts } from '../../scripts/source-excerpts.ts'

const SOURCE = `import { b } from './b.ts'

/** A comment. */
export const a = defineFlow({
  name: 'a }) ]',
  // é }
  run: (ctx, { b }) => ({ c: [b, { d: \`\${ctx}}\` }] }),
})

export interface Shape {
  readonly side: number
}

class Handlers {
  async #hidden() {
    return await b()
  }

  async answer(
    ctx: object,
    { b }: Shape,
  ) {
    if (b) {
      return {}
    }
  }
}

const rows = {
  first: new Row('FIRST', {
    twice: '1',
  }),
  second: { twice: '2' },
}
`
const FILES: Readonly<Record<string, string>> = { 'src/a.ts': SOURCE }

function shown(marker: string, block = '```ts\nstale\n```'): string {
  return withExcerpts(`before\n\n<!-- source: ${marker} -->\n\n${block}\n\nafter\n`, (file) => {
    const source = FILES[file]
    if (source === undefined) throw new Error(`there is no ${file}`)
    return source
  })
}

function page(marker: string, ...lines: readonly string[]): string {
  return ['before', '', `<!-- source: ${marker} -->`, '', '```ts', ...lines, '```', '', 'after', ''].join('\n')
}

describe('a block below a marker', () => {
  test.each([
    [
      'a declaration, whatever brackets are in it',
      'src/a.ts a',
      [
        'export const a = defineFlow({',
        "  name: 'a }) ]',",
        '  // é }',
        `  run: (ctx, { b }) => ({ c: [b, { d: \`\${ctx}}\` }] }),`,
        '})',
      ],
    ],
    ['a type', 'src/a.ts Shape', ['export interface Shape {', '  readonly side: number', '}']],
    [
      'a method, without its indentation',
      'src/a.ts answer',
      ['async answer(', '  ctx: object,', '  { b }: Shape,', ') {', '  if (b) {', '    return {}', '  }', '}'],
    ],
    ['a property, with its comma', 'src/a.ts first', ["first: new Row('FIRST', {", "  twice: '1',", '}),']],
    [
      'several declarations',
      'src/a.ts Shape second',
      ['export interface Shape {', '  readonly side: number', '}', '', "second: { twice: '2' },"],
    ],
  ])('shows %s', (_what, marker, lines) => {
    expect(shown(marker)).toBe(page(marker, ...lines))
    expect(withExcerpts(page(marker, ...lines), () => SOURCE)).toBe(page(marker, ...lines))
  })

  test('ends at its own end, and other blocks stay as they are', () => {
    const other = '```ts\nother\n```'
    expect(shown('src/a.ts second', `\`\`\`ts\nstale\n\`\`\`\n\n${other}`)).toContain(
      `second: { twice: '2' },\n\`\`\`\n\n${other}\n\nafter`,
    )
  })

  test.each([
    ['src/b.ts a', 'there is no src/b.ts'],
    ['src/a.ts missing', 'src/a.ts declares no missing'],
    ['src/a.ts b', 'src/a.ts declares no b'],
    ['src/a.ts twice', 'src/a.ts declares twice more than once'],
    ['src/a.ts', 'the marker "src/a.ts" names no declaration'],
  ])('cannot show %s', (marker, problem) => {
    expect(() => shown(marker)).toThrow(problem)
  })

  test('has to be there', () => {
    expect(() => shown('src/a.ts a', 'text')).toThrow('no block of TypeScript follows the marker "src/a.ts a"')
  })
})

import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { type Cell, state } from '../../src/cli/output/cell.ts'
import { type Column, layTable } from '../../src/cli/output/table.ts'
import type { Style } from '../../src/cli/output/terminal.ts'
import { cutTo, displayWidth, wrapTo } from '../../src/cli/output/text-width.ts'

const NOW = Date.parse('2026-01-02T03:04:05Z')
const ID = '01900000-0000-7000-8000-000000000000'

interface Row {
  readonly id: string
  readonly text: string
  readonly more?: Cell
}

const COLUMNS: readonly Column<Row>[] = [
  { heading: 'ID', value: ({ id }) => id, whole: true },
  { heading: 'TEXT', value: ({ text }) => text },
  { heading: 'MORE', value: ({ more }) => more, wide: true },
]

function table(
  rows: readonly Row[],
  width: number | null,
  columns = COLUMNS,
  styled: (style: Style, text: string) => string = (_style, text) => text,
): readonly string[] {
  return layTable(columns, rows, { width, now: NOW, styled }).split('\n')
}

describe('a table', () => {
  const rows = [
    { id: ID, text: 'orders.read orders.write stock.read stock.write', more: 'x' },
    { id: 'b', text: 'short', more: 'y' },
  ]

  test('is as wide as its content in a pipe', () => {
    expect(table(rows, null)).toEqual([
      `ID${' '.repeat(36)}TEXT${' '.repeat(45)}MORE`,
      `${ID}  orders.read orders.write stock.read stock.write  x`,
      `b${' '.repeat(37)}short${' '.repeat(44)}y`,
    ])
  })

  test('omits the wide columns, and then truncates, in a narrow terminal', () => {
    expect(table(rows, 200)[0]).toContain('MORE')
    const narrow = table(rows, 80)
    expect(narrow.every((line) => displayWidth(line) <= 80)).toBe(true)
    expect(narrow).toEqual([
      `ID${' '.repeat(36)}TEXT`,
      `${ID}  orders.read orders.write stock.read stock…`,
      `b${' '.repeat(37)}short`,
    ])
  })

  test('omits the last columns if truncation is not enough, but never ids, sentences or the second column', () => {
    const columns: readonly Column<Row>[] = [
      { heading: 'ID', value: () => 'orders', whole: true },
      ...['ONE', 'TWO', 'THREE'].map((heading) => ({ heading, value: ({ text }: Row) => text })),
    ]
    const headings = (width: number, shown = columns) => table(rows, width, shown)[0]?.split(/ +/)
    expect(headings(36)).toEqual(['ID', 'ONE', 'TWO', 'THREE'])
    expect(headings(35)).toEqual(['ID', 'ONE', 'TWO'])
    expect(headings(25)).toEqual(['ID', 'ONE'])
    expect(headings(5)).toEqual(['ID', 'ONE'])
    expect(table(rows, 35, columns).every((line) => displayWidth(line) <= 35)).toBe(true)
    const sentences = columns.map((column) =>
      column.heading === 'THREE' ? { ...column, wrap: true as const } : column,
    )
    expect(headings(35, sentences)).toEqual(['ID', 'ONE', 'THREE'])
  })

  test('never truncates an id in any terminal', () => {
    expect(table(rows, 10)[1]).toBe(`${ID}  orders.…`)
  })

  test('wraps sentences into further lines', () => {
    const columns = [COLUMNS[0], { heading: 'FOUND', value: ({ text }: Row) => text, wrap: true as const }].filter(
      (column) => column !== undefined,
    )
    expect(table([{ id: 'a', text: 'the client does not exist, or is disabled' }], 24, columns)).toEqual([
      'ID  FOUND',
      'a   the client does not',
      '    exist, or is',
      '    disabled',
    ])
  })

  test('shows relative times in a terminal, and exact ones elsewhere', () => {
    const at = (seconds: number) => ({ id: 'a', text: '', more: timestampFromMs(NOW + seconds * 1000) })
    const shown = [-3 * 86_400, -3_600, -5, 0, 90, 7_200].map((seconds) =>
      table([at(seconds)], 80)[1]
        ?.slice(2)
        .trim(),
    )
    expect(shown).toEqual(['3d ago', '60m ago', '5s ago', 'in 0s', 'in 90s', 'in 2h'])
    expect(table([at(0)], null)[1]).toContain('2026-01-02T03:04:05.000Z')
  })

  test('colours the word of a state without an effect on the width', () => {
    const rows = ['active', 'revoked', 'whatever'].map((word) => ({ id: word, text: 'x', more: state(word) }))
    const plain = table(rows, 80)
    const marked = table(rows, 80, COLUMNS, (style, text) => (style === 'bold' ? text : `<${style}>${text}</>`))
    expect(marked).toEqual([
      plain[0],
      `${plain[1]?.replace(/active$/, '<green>active</>')}`,
      `${plain[2]?.replace(/revoked$/, '<red>revoked</>')}`,
      plain[3],
    ])
  })

  test('shows stored text in one line', () => {
    expect(table([{ id: 'a\u001b[2J', text: 'x\ny' }], 80)[1]).toBe('a\\u001b[2J  x\\u000ay')
  })
})

describe('the width of a text', () => {
  test('is the width in a terminal', () => {
    expect(['abc', 'né', 'e\u0301', '漢字', '🙂', ''].map(displayWidth)).toEqual([3, 2, 1, 4, 2, 0])
    expect(cutTo('漢字漢字', 5)).toBe('漢字…')
    expect(wrapTo('a long-long-long word', 6)).toEqual(['a', 'long-long-long', 'word'])
    expect(wrapTo('a long-long-long word', 6, { breaksWords: true })).toEqual(['a', 'long-l', 'ong-lo', 'ng', 'word'])
  })
})

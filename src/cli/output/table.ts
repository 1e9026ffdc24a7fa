import { printable } from '../../printable.ts'
import { briefText, type Cell, exactText, styleOf } from './cell.ts'
import type { Style } from './terminal.ts'
import { cutTo, displayWidth, wrapTo } from './text-width.ts'

const GAP = '  '
/** The minimum width to which a column is cut. */
const LEAST_WIDTH = 8
/** An id and what it is: fewer columns would say nothing. */
const FEWEST_COLUMNS = 2

export interface Column<Row> {
  readonly heading: string
  readonly value: (row: Row) => Cell
  /** Left out where the table would be wider than the terminal. */
  readonly wide?: true
  /** Never cut: an id, which people copy. */
  readonly whole?: true
  /** Sentences: continued on lines of their own, not cut. */
  readonly wrap?: true
}

export interface TableLayout {
  /** Columns of the terminal; `null`: as many as the table needs, moments in full. */
  readonly width: number | null
  /** The time that moments are shown in relation to, in ms since 1970. */
  readonly now: number
  /** Puts a style around a text of the table. */
  readonly styled: (style: Style, text: string) => string
}

interface Piece {
  readonly text: string
  readonly style: Style | null
}

const NOTHING: Piece = Object.freeze({ text: '', style: null })

interface LaidColumn {
  readonly whole: boolean
  readonly wrap: boolean
  readonly wide: boolean
  readonly width: number
  readonly heading: string
  readonly cells: readonly Piece[]
}

/**
 * Formats rows under headings, a line each. If the terminal is too narrow, columns marked `wide` are dropped first,
 * last one first. Then other columns are dropped that cannot fit even if cut, and then the widest columns are cut.
 * Columns that cannot be cut stay unchanged.
 */
export function layTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], layout: TableLayout): string {
  const shown = fitted(
    columns.map((column) => measured(column, rows, layout)),
    layout.width,
  )
  return [
    layout.styled('bold', lineOf(shown.map(({ heading, width }) => ({ text: heading, width })))),
    ...rows.flatMap((_, row) => linesOf(shown, row, layout)),
  ].join('\n')
}

/** A row, which is as high as its highest cell. */
function linesOf(columns: readonly LaidColumn[], row: number, { styled }: TableLayout): readonly string[] {
  const cells = columns.map(({ cells, width, wrap }) => {
    const { text, style } = cells[row] ?? NOTHING
    return { style, width, lines: wrap ? wrapTo(text, width, { breaksWords: true }) : [cutTo(text, width)] }
  })
  const height = Math.max(1, ...cells.map(({ lines }) => lines.length))
  return Array.from({ length: height }, (_, index) =>
    lineOf(
      cells.map(({ lines, width, style }) => {
        const text = lines[index] ?? ''
        return { text, width, shown: style === null || text === '' ? text : styled(style, text) }
      }),
    ),
  )
}

/** Pieces in columns; `shown`: the text with its style, which takes no room. */
function lineOf(pieces: readonly { readonly text: string; readonly width: number; readonly shown?: string }[]): string {
  return pieces
    .map(({ text, width, shown = text }) => shown + ' '.repeat(Math.max(0, width - displayWidth(text))))
    .join(GAP)
    .trimEnd()
}

function measured<Row>(column: Column<Row>, rows: readonly Row[], { width, now }: TableLayout): LaidColumn {
  const cells = rows.map((row): Piece => {
    const cell = column.value(row)
    const text = printable(width === null ? exactText(cell) : briefText(cell, now))
    return { text, style: styleOf(cell) }
  })
  return {
    whole: column.whole ?? false,
    wrap: column.wrap ?? false,
    wide: column.wide ?? false,
    width: Math.max(...[column.heading, ...cells.map(({ text }) => text)].map(displayWidth)),
    heading: column.heading,
    cells,
  }
}

function fitted(columns: readonly LaidColumn[], width: number | null): readonly LaidColumn[] {
  if (width === null) return columns
  const withoutWide = leftOutWhile(
    columns,
    (shown) => totalOf(shown) > width,
    (column) => column.wide,
  )
  const shown = leftOutWhile(
    withoutWide,
    (shown) => shown.length > FEWEST_COLUMNS && totalOf(shown.map(atLeast)) > width,
    (column) => !column.whole && !column.wrap,
  )
  return cutWidest(shown, totalOf(shown) - width)
}

/** The columns without the last of those that may be left out, and the last again, until it is enough. */
function leftOutWhile(
  columns: readonly LaidColumn[],
  isTooMuch: (columns: readonly LaidColumn[]) => boolean,
  mayGo: (column: LaidColumn) => boolean,
): readonly LaidColumn[] {
  let shown = columns
  while (isTooMuch(shown)) {
    const last = shown.findLast(mayGo)
    if (last === undefined) break
    shown = shown.filter((column) => column !== last)
  }
  return shown
}

/** A column as narrow as it can be cut. */
function atLeast(column: LaidColumn): LaidColumn {
  return column.whole ? column : { ...column, width: Math.min(column.width, LEAST_WIDTH) }
}

/** Removes the excess from the widest columns, so that the others stay whole. */
function cutWidest(columns: readonly LaidColumn[], excess: number): readonly LaidColumn[] {
  const widths = columns.map(({ width }) => width)
  for (let left = excess; left > 0; left -= 1) {
    const widest = widths.reduce<number | null>((best, width, index) => {
      const canGive = columns[index]?.whole === false && width > LEAST_WIDTH
      return canGive && (best === null || width > (widths[best] ?? 0)) ? index : best
    }, null)
    if (widest === null) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return columns.map((column, index) => ({ ...column, width: widths[index] ?? column.width }))
}

function totalOf(columns: readonly LaidColumn[]): number {
  return columns.reduce((sum, { width }) => sum + width, 0) + GAP.length * Math.max(0, columns.length - 1)
}

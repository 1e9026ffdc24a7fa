import { printable } from '../printable.ts'

const GAP = '  '

/** Rows under headings, columns as wide as their widest cell. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  bold: (text: string) => string,
) {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => printable(row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd()
  return [bold(line(headings)), ...rows.map(line)].join('\n')
}

/** Names and values, one pair a line; pairs without a value are left out. */
export function keyValues(
  pairs: readonly (readonly [string, string | null])[],
  bold: (text: string) => string,
): string {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${bold(name.padEnd(width))}${GAP}${printable(value)}`).join('\n')
}

import { TARGETS } from '../targets.ts'
import { machineLine } from './machine.ts'
import type { Results } from './results.ts'

const WIDTH = 860
const MARGIN = 24
const LABEL = 190
const BAR = 14
const GAP = 5
const ROW = 2 * BAR + GAP + 16
const TOP = 92
const FOOT = 58

const DATABASES = Object.freeze([
  { key: 'sqlite', name: 'SQLite', style: 'a' },
  { key: 'mariadb', name: 'MariaDB', style: 'b' },
  { key: 'postgres', name: 'PostgreSQL', style: 'c' },
])

const ROWS = Object.freeze([
  { row: 'batch-introspect', label: 'BatchIntrospect, tokens' },
  { row: 'introspect', label: 'IntrospectToken' },
  { row: 'verify', label: 'VerifyToken' },
  { row: 'mint', label: 'MintToken, opaque' },
  { row: 'mint-jwt', label: 'MintToken, JWT' },
  { row: 'refresh', label: 'RefreshToken, rotating' },
])

/** It has a ground of its own, so that it can be read on any page. */
const STYLE = `
  .ground { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .faint { fill: #59636e; font-size: 12px; paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .a { fill: #0969da } .b { fill: #8250df } .c { fill: #1a7f37 }
  .line { stroke: #59636e; stroke-width: 1; stroke-dasharray: 3 3 }
  .target { stroke: #cf222e; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .faint { fill: #9198a1; stroke: #0d1117 }
    .a { fill: #4493f8 } .b { fill: #ab7df8 } .c { fill: #3fb950 }
    .line { stroke: #9198a1 }
    .target { stroke: #ff7b72 }
  }`

/** Bars of tokens a second, as a ratio to the echo. */
export function resultsPicture(results: Results): string {
  const ratios = new Map(
    results.groups.flatMap(({ results: cells }) =>
      cells.flatMap((cell) => (cell.kind === 'measured' ? [[cell.name, cell] as const] : [])),
    ),
  )
  const found = (database: string, row: string) => ratios.get(`${database}/${row}/1m/32/1w`)
  const shown = DATABASES.filter(({ key }) => ROWS.some(({ row }) => found(key, row) !== undefined))
  const wantedOf = (database: string, row: string) =>
    TARGETS.find(({ target }) => target === `${database}/${row}/1m/32/1w`)?.wanted
  const extents = shown.flatMap(({ key }) =>
    ROWS.flatMap(({ row }) => [found(key, row)?.ratioToEcho ?? 0, wantedOf(key, row) ?? 0]),
  )
  const most = Math.max(1, ...extents)
  const room = WIDTH - 2 * MARGIN - LABEL - 150
  // A square root keeps the small ones visible beside the batches.
  const x = (ratio: number) => MARGIN + LABEL + Math.sqrt(ratio / most) * room
  const rowHeight = ROW + (shown.length - 2) * (BAR + GAP)
  const height = TOP + ROWS.length * rowHeight + FOOT

  const bars = ROWS.flatMap(({ row, label }, index) => {
    const y = TOP + index * rowHeight
    const parts = shown.flatMap(({ key, style }, place) => {
      const cell = found(key, row)
      if (cell === undefined) return []
      const top = y + place * (BAR + GAP)
      const wanted = wantedOf(key, row)
      return [
        `<rect class="${style}" x="${x(0)}" y="${top}" width="${round(x(cell.ratioToEcho) - x(0))}" height="${BAR}" rx="2"/>`,
        ...(wanted === undefined ? [] : [line('target', x(wanted), top - 2, top + BAR + 2)]),
        text(
          Math.max(x(cell.ratioToEcho), x(wanted ?? 0)) + 8,
          top + BAR - 3,
          `${cell.ratioToEcho.toFixed(2)} · ${Math.round(cell.perSecond).toLocaleString('en')}/s`,
          'faint',
        ),
      ]
    })
    return [text(MARGIN, y + BAR, label), ...parts]
  })
  const legend = shown.flatMap(({ name, style }, index) => [
    `<rect class="${style}" x="${MARGIN + index * 120}" y="58" width="${BAR}" height="${BAR}" rx="2"/>`,
    text(MARGIN + index * 120 + BAR + 6, 70, name),
  ])
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="QScope beside a bare grpc-js echo">
<style>${STYLE}
</style>
<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text(MARGIN, 34, 'QScope beside a bare grpc-js echo: 1 million tokens, 32 calls in flight, one worker', 'title')}
${[...legend, line('line', x(1), TOP - 10, height - FOOT), text(x(1) - 14, TOP - 14, 'echo', 'faint'), ...bars].join('\n')}
${text(MARGIN, height - 34, 'Tokens a second, as a ratio to the echo of the same round; widths by square root; red: the target.', 'faint')}
${text(MARGIN, height - 16, `${machineLine(results.machine)}; ${results.databases.join(', ')}; ${results.date.slice(0, 10)}`, 'faint')}
</svg>
`
}

function text(x: number, y: number, content: string, style = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text${style === '' ? '' : ` class="${style}"`} x="${round(x)}" y="${round(y)}">${escaped}</text>`
}

function line(style: string, x: number, from: number, to: number): string {
  return `<line class="${style}" x1="${round(x)}" x2="${round(x)}" y1="${from}" y2="${to}"/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

import { OIDC_MEMORY_INTROSPECT, OIDC_MEMORY_MINT, OIDC_SQLITE_MINT } from '../peers/oidc-contestants.ts'
import { ECHO, NATIVE_ECHO } from '../peers/yardsticks.ts'
import { machineLine } from './machine.ts'
import type { Results } from './results.ts'

const WIDTH = 860
const MARGIN = 24
const LABEL = 250
const RATE = 90
const ROOM = WIDTH - 2 * MARGIN - LABEL - RATE
const BAR = 16
const ROW = BAR + 6
const HEADING = 40
const TOP = 44
const FOOT = 56

interface Bar {
  readonly label: string
  /** The name of a cell or peer. */
  readonly name: string
  readonly style: 'qscope' | 'other'
}

interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
}

/** The panels of a figure share a scale. */
const FIGURES: readonly (readonly Panel[])[] = Object.freeze([
  [
    {
      title: 'Introspect a token',
      bars: [...onEachDatabase('introspect'), other('oidc-provider, in memory', OIDC_MEMORY_INTROSPECT)],
    },
    {
      title: 'Mint a token',
      bars: [
        ...onEachDatabase('mint'),
        other('oidc-provider, in memory', OIDC_MEMORY_MINT),
        other('oidc-provider, on SQLite', OIDC_SQLITE_MINT),
      ],
    },
    { title: 'Refresh a token, with rotation', bars: onEachDatabase('refresh') },
  ],
  [
    {
      title: 'An empty call, on a scale of its own',
      bars: [{ label: 'QScope’s transport', name: NATIVE_ECHO, style: 'qscope' }, other('grpc-js', ECHO)],
    },
  ],
])

/** It has its own background, so that it is readable on any page. */
const STYLE = `
  .ground { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .heading { font-weight: 600 }
  .faint { fill: #59636e; font-size: 12px }
  .qscope { fill: #0969da } .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .faint { fill: #9198a1 }
    .qscope { fill: #4493f8 } .other { fill: #656c76 }
  }`

/**
 * Bars of calls a second as SVG: QScope and oidc-provider, and the empty call on both transports. Without cells that were not
 * measured.
 */
export function resultsPicture(results: Results): string {
  const rates = new Map<string, number>()
  for (const { results: cells } of results.groups) {
    // If several groups measured a cell, the first one counts.
    for (const cell of cells)
      if (cell.kind === 'measured' && !rates.has(cell.name)) rates.set(cell.name, cell.perSecond)
  }
  const parts: string[] = []
  let y = TOP
  for (const panels of FIGURES) {
    const most = Math.max(...panels.flatMap(({ bars }) => bars.map(({ name }) => rates.get(name) ?? 0)))
    for (const { title, bars } of panels) {
      const shown = bars.flatMap((bar) => {
        const rate = rates.get(bar.name)
        return rate === undefined ? [] : [{ ...bar, rate }]
      })
      if (shown.length === 0) continue
      parts.push(text(MARGIN, y + 26, title, 'heading'))
      y += HEADING
      for (const { label, style, rate } of shown) {
        const width = Math.max(1, (rate / most) * ROOM)
        parts.push(
          text(MARGIN, y + BAR - 4, label),
          `<rect class="${style}" x="${MARGIN + LABEL}" y="${y}" width="${round(width)}" height="${BAR}" rx="2"/>`,
          text(MARGIN + LABEL + width + 8, y + BAR - 4, Math.round(rate).toLocaleString('en')),
        )
        y += ROW
      }
    }
  }
  const height = y + FOOT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Calls a second of QScope, of oidc-provider and of empty calls">
<style>${STYLE}
</style>
<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text(MARGIN, 36, 'Calls a second of one worker process', 'title')}
${parts.join('\n')}
${text(MARGIN, height - 34, '1 million tokens, 32 calls in flight. A token is on the disk when it is answered, except with oidc-provider in memory.', 'faint')}
${text(MARGIN, height - 16, `${machineLine(results.machine)}; ${results.databases.join(', ')}; ${results.date.slice(0, 10)}`, 'faint')}
</svg>
`
}

function onEachDatabase(row: string): readonly Bar[] {
  const databases = { sqlite: 'SQLite', mysql: 'MySQL', mariadb: 'MariaDB', postgres: 'PostgreSQL' }
  return Object.entries(databases).map(([database, label]) => ({
    label: `QScope, on ${label}`,
    name: `${database}/${row}/1m/32/1w`,
    style: 'qscope',
  }))
}

function other(label: string, name: string): Bar {
  return { label, name, style: 'other' }
}

function text(x: number, y: number, content: string, style = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text${style === '' ? '' : ` class="${style}"`} x="${round(x)}" y="${round(y)}">${escaped}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

import type { TrialResult } from '../run/trials.ts'
import type { Verdict } from '../targets.ts'
import { machineLine } from './machine.ts'
import type { CellResult, GroupResult, Results } from './results.ts'

const HEADINGS = ['', 'tokens/s', '× echo', 'p50 ms', 'p99 ms', '× echo', 'CPU s/l/d', 'MB', 'errors']
/** Above this, the load process may have been the bottleneck. */
const BUSY_LOAD = 0.85

/** The whole run as Markdown, which is also readable on a terminal. */
export function reportText(results: Results): string {
  const { machine, databases, rounds, seconds, date } = results
  const lines = [
    `${machineLine(machine)}; ${databases.join(', ')}; ${date.slice(0, 10)}`,
    `Medians of ${rounds} rounds of ${seconds} s. CPU in cores: server/load/database server.`,
    ...results.groups.flatMap((group) => ['', `## ${group.title}`, '', ...groupLines(group)]),
  ]
  if (results.trials.length > 0) lines.push('', '## Starts and soaks', '', ...results.trials.map(trialLine))
  lines.push(...targetLines(results.targets))
  return `${lines.join('\n')}\n`
}

function groupLines({ results }: GroupResult): readonly string[] {
  const measured = results.filter((result) => result.kind === 'measured')
  const absent = results.filter((result) => result.kind === 'not available')
  const busy = measured.filter(({ cpu }) => cpu.load > BUSY_LOAD)
  return [
    ...(measured.length === 0 ? [] : table(HEADINGS, measured.map(resultRow))),
    ...(absent.length === 0 || measured.length === 0 ? [] : ['']),
    ...absent.map(({ name, reason }) => `- ${name}: not available: ${reason}`),
    ...busy.map(({ name, cpu }) => `- ${name}: the load itself was busy (${percent(cpu.load)} of a core)`),
  ]
}

function resultRow(result: Extract<CellResult, { kind: 'measured' }>): readonly string[] {
  const { cpu } = result
  const shares = [cpu.server, cpu.load, cpu.database].map((share) => (share === null ? '–' : share.toFixed(2)))
  return [
    result.name,
    Math.round(result.perSecond).toLocaleString('en'),
    result.ratioToEcho.toFixed(2),
    result.p50Ms.toFixed(2),
    result.p99Ms.toFixed(2),
    result.p99ToEcho.toFixed(1),
    shares.join('/'),
    result.residentMb === null ? '–' : String(Math.round(result.residentMb)),
    errorsText(result.errors),
  ]
}

function trialLine(trial: TrialResult): string {
  switch (trial.kind) {
    case 'start':
      return `- ${trial.name}: ${Math.round(trial.medianMs)} ms to SERVING (slowest ${Math.round(trial.slowestMs)} ms)`
    case 'soak':
      return `- ${trial.name}: ${trial.minutes} min, at most ${Math.round(trial.highestMb)} MB, last fifth ${trial.growth.toFixed(2)} × the second; errors: ${errorsText(trial.errors)}`
    case 'not available':
      return `- ${trial.name}: not available: ${trial.reason}`
    default:
      return trial satisfies never
  }
}

/** Empty if no target was measured. */
function targetLines(targets: readonly Verdict[]): readonly string[] {
  const measured = targets.filter(({ met }) => met !== null)
  if (measured.length === 0) return []
  const others = targets.filter(({ met }) => met === null)
  return [
    '',
    '## Targets',
    '',
    ...table(['target', 'wanted', 'measured', ''], measured.map(verdictRow)),
    // A run of a few cells measures few targets, so the others are not listed.
    ...(others.length === 0 || others.length > measured.length
      ? []
      : ['', `Not measured: ${others.map(({ target }) => target).join('; ')}.`]),
  ]
}

function verdictRow({ target, sense, wanted, unit, measured, met }: Verdict): readonly string[] {
  const bound = `${sense === 'at least' ? '≥' : '≤'} ${wanted} ${unit}`
  if (measured === null) return [target, bound, '–', 'not measured']
  return [target, bound, rounded(measured), met ? 'met' : `missed by ${percent(Math.abs(measured / wanted - 1))}`]
}

function errorsText(errors: Readonly<Record<string, number>>): string {
  const all = Object.entries(errors).map(([status, count]) => `${count} ${status}`)
  return all.length === 0 ? '0' : all.join(', ')
}

function rounded(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(2)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(headings), `| ${rule.join(' | ')} |`, ...rows.map(line)]
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'
import type { Style } from './terminal.ts'

/** The content of a column or pair: a text, a moment, or a coloured state. */
export type Cell = string | Timestamp | State | null | undefined

export interface State {
  readonly state: string
}

/** The word of a state, such as `active`, or `yes` or `no`. */
export function state(word: string): State {
  return { state: word }
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

const COLOURS: ReadonlyMap<string, Style> = new Map([
  ...wordsIn('green', 'active', 'allowed', 'approved', 'enabled', 'ok', 'serving', 'valid', 'yes'),
  ...wordsIn('yellow', 'old', 'pending', 'prepared', 'unknown', 'warning'),
  ...wordsIn(
    'red',
    'deactivated',
    'denied',
    'disabled',
    'expired',
    'missing',
    'no',
    'not_serving',
    'problem',
    'refused',
    'revoked',
  ),
  ...wordsIn('dim', 'inactive', 'redeemed', 'retired'),
])

function wordsIn(style: Style, ...words: readonly string[]): readonly (readonly [string, Style])[] {
  return words.map((word) => [word, style])
}

/** The colour of a cell. `null`: the terminal's default. */
export function styleOf(cell: Cell): Style | null {
  return isState(cell) ? (COLOURS.get(cell.state.toLowerCase()) ?? null) : null
}

/** A cell as text, with moments in ISO 8601. */
export function exactText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'string') return cell
  return isState(cell) ? cell.state : new Date(timestampMs(cell)).toISOString()
}

/** A cell as text, with moments relative to now. */
export function briefText(cell: Cell, now: number): string {
  return typeof cell === 'object' && cell !== null && !isState(cell)
    ? relativeTime(timestampMs(cell) - now)
    : exactText(cell)
}

function isState(cell: Cell): cell is State {
  return typeof cell === 'object' && cell !== null && 'state' in cell
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** Such as `in 59m` or `3d ago`, in the largest unit with a count of at least two, or in seconds. */
function relativeTime(ms: number): string {
  const distance = Math.abs(ms)
  const [unit, length] = UNITS.find(([, each]) => distance >= 2 * each) ?? UNITS[3]
  const text = `${Math.floor(distance / length)}${unit}`
  return ms >= 0 ? `in ${text}` : `${text} ago`
}

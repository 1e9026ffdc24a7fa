import { OIDC_MEMORY_INTROSPECT, OIDC_MEMORY_MINT, OIDC_SQLITE_MINT } from './peers/oidc-contestants.ts'
import { ECHO, NATIVE_ECHO } from './peers/yardsticks.ts'
import type { GroupResult } from './report/results.ts'
import type { Measured } from './run/measured.ts'
import type { TrialResult } from './run/trials.ts'

/** A result compared with its target. */
export interface Verdict {
  readonly target: string
  readonly sense: 'at least' | 'at most'
  readonly wanted: number
  readonly unit: string
  /** `null`: not measured. */
  readonly measured: number | null
  readonly met: boolean | null
}

interface Found {
  readonly groups: readonly GroupResult[]
  readonly trials: readonly TrialResult[]
}

type Target = Pick<Verdict, 'target' | 'sense' | 'wanted' | 'unit'> & { readonly find: (found: Found) => number | null }

const RATIO = '× echo'

/** The target of each of the two databases. */
type Wanted = readonly [sqlite: number, mariadb: number]

const RATES: readonly (readonly [row: string, wanted: Wanted])[] = [
  ['introspect', [1.4, 1]],
  ['verify', [1.4, 1]],
  ['mint', [0.55, 0.45]],
  ['mint-jwt', [0.35, 0.3]],
  ['refresh', [0.2, 0.12]],
  ['batch-introspect', [4, 3]],
]
/** A batch has a hundred tokens, so its time has no target. */
const P99: readonly (readonly [row: string, wanted: Wanted])[] = [
  ['introspect', [1, 1]],
  ['verify', [1, 1]],
  ['mint', [1, 1]],
  ['mint-jwt', [3, 4]],
  ['refresh', [3, 4]],
]
/** One call at a time: batching must not delay a single call. */
const ALONE: readonly (readonly [row: string, wanted: number])[] = [
  ['introspect', 1.5],
  ['mint', 2.5],
]

export const TARGETS: readonly Target[] = Object.freeze([
  ...RATES.flatMap(([row, wanted]) =>
    onBoth(wanted, (database, value) => {
      const cell = `${database}/${row}/1m/32/1w`
      return atLeast(cell, value, RATIO, (found) => measuredOf(found, cell)?.ratioToEcho ?? null)
    }),
  ),
  atLeast(NATIVE_ECHO, 6, RATIO, (found) => measuredOf(found, NATIVE_ECHO)?.ratioToEcho ?? null),
  ...ALONE.map(([row, wanted]) => {
    const cell = `sqlite/${row}/1m/1/1w`
    return atMost(`p50 of ${cell}`, wanted, `${RATIO}'s`, (found) => p50ToEcho(found, cell))
  }),
  ...P99.flatMap(([row, wanted]) =>
    onBoth(wanted, (database, value) => {
      const cell = `${database}/${row}/1m/32/1w`
      return atMost(`p99 of ${cell}`, value, `${RATIO}'s`, (found) => measuredOf(found, cell)?.p99ToEcho ?? null)
    }),
  ),
  ...onBoth([0.8, 0.8], (database, value) =>
    atLeast(`${database}/introspect: 10m against 10k`, value, '×', (found) =>
      quotient(found, `${database}/introspect/10m/32/1w`, `${database}/introspect/10k/32/1w`),
    ),
  ),
  atLeast('sqlite/introspect: two workers against one', 1.5, '×', (found) =>
    quotient(found, 'sqlite/introspect/1m/32/2w', 'sqlite/introspect/1m/32/1w'),
  ),
  atLeast('sqlite/introspect against oidc-provider in memory', 3, '×', (found) =>
    quotient(found, 'sqlite/introspect/1m/32/1w', OIDC_MEMORY_INTROSPECT),
  ),
  atLeast('sqlite/mint against oidc-provider in memory', 1.5, '×', (found) =>
    quotient(found, 'sqlite/mint/1m/32/1w', OIDC_MEMORY_MINT),
  ),
  atLeast('sqlite/mint against oidc-provider on durable SQLite', 4, '×', (found) =>
    quotient(found, 'sqlite/mint/1m/32/1w', OIDC_SQLITE_MINT),
  ),
  ...onBoth([200, 200], (database, value) =>
    atMost(`resident memory of a worker, ${database}/*/1m/32`, value, 'MB', (found) => highest(found, database)),
  ),
  ...onBoth([1_000, 1_000], (database, value) =>
    atMost(`start to SERVING, ${database}/1m`, value, 'ms', (found) => {
      const trial = trialOf(found, `${database}/start/1m/`)
      return trial?.kind === 'start' ? trial.medianMs : null
    }),
  ),
  ...onBoth([1.1, 1.1], (database, value) =>
    atMost(`memory under ten minutes of load, last against second fifth, ${database}/1m`, value, '×', (found) => {
      const trial = trialOf(found, `${database}/soak/1m/`)
      return trial?.kind === 'soak' ? trial.growth : null
    }),
  ),
])

export function judge(found: Found): readonly Verdict[] {
  return TARGETS.map(({ find, ...target }) => {
    const measured = find(found)
    if (measured === null || Number.isNaN(measured)) return { ...target, measured: null, met: null }
    return {
      ...target,
      measured,
      met: target.sense === 'at least' ? measured >= target.wanted : measured <= target.wanted,
    }
  })
}

function onBoth([sqlite, mariadb]: Wanted, make: (database: string, wanted: number) => Target): readonly Target[] {
  return [make('sqlite', sqlite), make('mariadb', mariadb)]
}

function atLeast(target: string, wanted: number, unit: string, find: Target['find']): Target {
  return { target, sense: 'at least', wanted, unit, find }
}

function atMost(target: string, wanted: number, unit: string, find: Target['find']): Target {
  return { target, sense: 'at most', wanted, unit, find }
}

/** The first group with the cell. `quotient` compares cells inside a group. */
function measuredOf({ groups }: Pick<Found, 'groups'>, name: string): Measured | null {
  for (const { results } of groups) {
    for (const result of results) if (result.kind === 'measured' && result.name === name) return result
  }
  return null
}

/** Within one group. */
function p50ToEcho({ groups }: Found, name: string): number | null {
  for (const group of groups) {
    const [cell, echo] = [name, ECHO].map((each) => measuredOf({ groups: [group] }, each))
    if (cell && echo) return cell.p50Ms / echo.p50Ms
  }
  return null
}

/** The ratio of two rates of one group. In different groups: the ratio of their ratios to the echo. */
function quotient(found: Found, name: string, other: string): number | null {
  for (const group of found.groups) {
    const [a, b] = [name, other].map((each) => measuredOf({ groups: [group] }, each))
    if (a && b) return a.ratioToEcho / b.ratioToEcho
  }
  const [a, b] = [measuredOf(found, name), measuredOf(found, other)]
  return a && b ? a.ratioToEcho / b.ratioToEcho : null
}

function highest({ groups }: Found, database: string): number | null {
  const cells = groups.flatMap(({ results }) => results)
  const resident = cells.flatMap((cell) =>
    cell.kind === 'measured' && new RegExp(`^${database}/[^/]+/1m/32/`).test(cell.name) && cell.residentMb !== null
      ? [cell.residentMb]
      : [],
  )
  return resident.length === 0 ? null : Math.max(...resident)
}

function trialOf({ trials }: Found, prefix: string): TrialResult | undefined {
  return trials.find(({ name }) => name.startsWith(prefix))
}

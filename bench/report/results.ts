import type { Measured } from '../run/measured.ts'
import type { TrialResult } from '../run/trials.ts'
import type { Verdict } from '../targets.ts'
import type { Machine } from './machine.ts'

export type CellResult =
  | ({ readonly kind: 'measured' } & Measured)
  | { readonly kind: 'not available'; readonly name: string; readonly reason: string }

/** What was measured side by side. */
export interface GroupResult {
  readonly title: string
  readonly results: readonly CellResult[]
}

/** Everything that a run found out. */
export interface Results {
  /** ISO 8601. */
  readonly date: string
  readonly machine: Machine
  readonly databases: readonly string[]
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  readonly groups: readonly GroupResult[]
  readonly trials: readonly TrialResult[]
  readonly targets: readonly Verdict[]
}

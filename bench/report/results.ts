import type { Measured } from '../run/measured.ts'
import type { TrialResult } from '../run/trials.ts'
import type { Verdict } from '../targets.ts'
import type { Machine } from './machine.ts'

export type CellResult =
  | ({ readonly kind: 'measured' } & Measured)
  | { readonly kind: 'not available'; readonly name: string; readonly reason: string }

/** The results of one group. */
export interface GroupResult {
  readonly title: string
  readonly results: readonly CellResult[]
}

/** All results of a run. */
export interface Results {
  /** ISO 8601. */
  readonly date: string
  readonly machine: Machine
  readonly databases: readonly string[]
  readonly rounds: number
  /** The duration of one measurement. */
  readonly seconds: number
  readonly groups: readonly GroupResult[]
  readonly trials: readonly TrialResult[]
  readonly targets: readonly Verdict[]
}

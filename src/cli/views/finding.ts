import { state } from '../output/cell.ts'
import type { Column } from '../output/table.ts'

/** One finding of the doctor. */
export interface ShownFinding {
  readonly check: string
  /** The state in words, such as `problem`. */
  readonly state: string
  readonly finding: string
  readonly advice: string | null
}

export const FINDING_COLUMNS: readonly Column<ShownFinding>[] = [
  { heading: 'CHECK', value: ({ check }) => check, whole: true },
  { heading: 'STATE', value: (found) => state(found.state) },
  { heading: 'FINDING', value: ({ finding }) => finding, wrap: true },
  { heading: 'WHAT TO DO', value: ({ advice }) => advice, wrap: true },
]

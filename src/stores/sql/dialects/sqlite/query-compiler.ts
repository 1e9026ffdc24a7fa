import { SqliteQueryCompiler } from 'kysely'

/**
 * Writes `+?` for a value. SQLite, where it is built with STAT4, plans a statement anew when a value changes that is
 * compared to an indexed column (sqlite.org/c3ref/prepare.html), which takes a look-up over several tables ten times as
 * long as to run it. A plus, which does nothing else, hides the value from the planner. There are no statistics that
 * it could be compared with: nobody runs ANALYZE.
 */
export class PlannedOnceCompiler extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?'
  }
}

/** How a database would run a statement. */
export interface StatementPlan {
  /** The description by the database, line by line; values are shown as `?`. */
  readonly lines: readonly string[]
  /** The tables that would be scanned completely, each once; empty: the statement would use indexes. */
  readonly scans: readonly string[]
}

/** A statement with placeholders for its values, and its plan. */
export interface ExplainedStatement extends StatementPlan {
  readonly sql: string
}

/** Observes the statements of a backend whose work is rolled back in the end. */
export interface StatementObserver {
  /** Called before each statement: whether its plan is wanted. */
  isWanted(): boolean
  /** Called before the statement runs. */
  sent(statement: ExplainedStatement): void
}

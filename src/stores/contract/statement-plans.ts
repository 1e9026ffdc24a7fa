/** How a database would run a statement. */
export interface StatementPlan {
  /** As the database describes it, line by line; values are shown as `?`. */
  readonly lines: readonly string[]
  /** The tables that it would look through from one end to the other, each once; empty: it would go by indexes. */
  readonly scans: readonly string[]
}

/** A statement as it is sent, with placeholders for its values, and how it would be run. */
export interface ExplainedStatement extends StatementPlan {
  readonly sql: string
}

/** Sees the statements of a backend whose work is undone in the end. */
export interface StatementObserver {
  /** Asked before each statement: whether its plan is wanted. */
  isWanted(): boolean
  /** Told before the statement runs. */
  sent(statement: ExplainedStatement): void
}

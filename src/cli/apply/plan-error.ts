/** The documents cannot be applied. The message has one line for each problem. Nothing was written. */
export class PlanError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'PlanError'
    this.problems = problems
  }
}

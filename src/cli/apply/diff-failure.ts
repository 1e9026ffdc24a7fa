/** A comparison that failed: diff(1) has an exit code of its own for that. */
export class DiffFailure extends Error {
  constructor(cause: unknown) {
    super('the comparison failed', { cause })
    this.name = 'DiffFailure'
  }
}

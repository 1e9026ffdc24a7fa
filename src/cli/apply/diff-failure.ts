/** A comparison that failed. diff(1) has a separate exit code for that. */
export class DiffFailure extends Error {
  constructor(cause: unknown) {
    super('the comparison failed', { cause })
    this.name = 'DiffFailure'
  }
}

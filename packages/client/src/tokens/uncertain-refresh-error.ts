/**
 * The answer to a refresh was lost, and the replay window is over: the refresh
 * token may be spent or not. Presented again it might count as stolen.
 */
export class UncertainRefreshError extends Error {
  override readonly name = 'UncertainRefreshError'

  constructor(options?: ErrorOptions) {
    super(
      'The answer to a refresh was lost, and the refresh token may be spent: the user has to log in again.',
      options,
    )
  }
}

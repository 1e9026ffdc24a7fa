/** How long a minted token is given to calls: each has 30 s to arrive in its life of 60 s. */
const GIVEN_MS = 30_000

interface Minted {
  readonly token: Promise<string>
  /** By the monotonic clock. */
  readonly givenUntil: number
}

/** The tokens that a command minted, by permission. A command may take longer than a token lives. */
export class MintedTokens {
  readonly #monotonic: () => number
  readonly #tokens = new Map<string, Minted>()

  /** `monotonic`: milliseconds by a clock that never goes back. */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /** `undefined`: there is none that will outlive a call. */
  get(permission: string): Promise<string> | undefined {
    const minted = this.#tokens.get(permission)
    return minted !== undefined && this.#monotonic() < minted.givenUntil ? minted.token : undefined
  }

  set(permission: string, token: Promise<string>): void {
    this.#tokens.set(permission, { token, givenUntil: this.#monotonic() + GIVEN_MS })
  }
}

/** The time for which a minted token is reused. Its lifetime is 60 s, so each call has 30 s to arrive. */
const GIVEN_MS = 30_000

interface Minted {
  readonly token: Promise<string>
  /** By the monotonic clock. */
  readonly givenUntil: number
}

/** The tokens that a command minted, by permission. A command may run longer than a token's lifetime. */
export class MintedTokens {
  readonly #monotonic: () => number
  readonly #tokens = new Map<string, Minted>()

  /** `monotonic`: milliseconds by a clock that never goes back. */
  constructor(monotonic = () => performance.now()) {
    this.#monotonic = monotonic
  }

  /** `undefined`: there is none with enough remaining lifetime for a call. */
  get(permission: string): Promise<string> | undefined {
    const minted = this.#tokens.get(permission)
    return minted !== undefined && this.#monotonic() < minted.givenUntil ? minted.token : undefined
  }

  set(permission: string, token: Promise<string>): void {
    this.#tokens.set(permission, { token, givenUntil: this.#monotonic() + GIVEN_MS })
  }
}

import { isDeepStrictEqual } from 'node:util'
import type { TrustedIssuers } from '../auth/trusted-issuers.ts'
import type { TrustedIssuer } from '../domain/trusted-issuer.ts'
import { IssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts'

/** The issuers whose assertions stand for clients, by `iss`; they can be replaced while calls are answered. */
export class TrustedIssuerSet {
  readonly #options: IssuerKeysOptions
  readonly #issuers = new Map<string, IssuerKeys>()

  constructor(trusted: readonly TrustedIssuer[], options: IssuerKeysOptions) {
    this.#options = options
    for (const terms of trusted) this.#issuers.set(terms.issuer, new IssuerKeys(terms, options))
  }

  /** As they are at the moment. */
  get byIssuer(): TrustedIssuers {
    return this.#issuers
  }

  /** Of an issuer whose terms are as before, the keys are read again; should that fail, those that were read last go on. */
  async replace(trusted: readonly TrustedIssuer[]): Promise<void> {
    const before = new Map(this.#issuers)
    this.#issuers.clear()
    const kept: IssuerKeys[] = []
    for (const terms of trusted) {
      const known = before.get(terms.issuer)
      if (known !== undefined && isDeepStrictEqual(known.terms, terms)) {
        kept.push(known)
        this.#issuers.set(terms.issuer, known)
      } else this.#issuers.set(terms.issuer, new IssuerKeys(terms, this.#options))
    }
    await Promise.all(kept.map((issuer) => issuer.lookAgain()))
  }
}

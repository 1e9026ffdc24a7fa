import { isDeepStrictEqual } from 'node:util'
import type { KnownIssuer, TrustedIssuers } from '../../auth/trusted-issuers.ts'
import { BoundedMap } from '../../bounded-map.ts'
import { byBytes } from '../../byte-order.ts'
import type { RegisteredIssuer, TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { StoreContext } from '../../stores/contract/context.ts'
import type { TrustedIssuerReads } from '../../stores/contract/trusted-issuers.ts'
import { IssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts'

/** Of issuers of the database: how many keep their keys. */
const MOST_KEPT = 1_000
const PAGE = 100

interface TrustedIssuerSetOptions extends IssuerKeysOptions {
  /** Those of the database. */
  readonly reads: TrustedIssuerReads
}

/** The issuers whose assertions stand for clients; those of the file can be replaced while calls are answered. */
export class TrustedIssuerSet implements TrustedIssuers {
  readonly #options: TrustedIssuerSetOptions
  readonly #ofFile = new Map<string, IssuerKeys>()
  /** By name; what is kept counts only while the issuer says that its keys are where they were. */
  readonly #ofDatabase = new BoundedMap<string, IssuerKeys>(MOST_KEPT)

  constructor(trusted: readonly TrustedIssuer[], options: TrustedIssuerSetOptions) {
    this.#options = options
    for (const terms of trusted) this.#ofFile.set(terms.issuer, new IssuerKeys(terms, options))
  }

  get ofFile(): ReadonlyMap<string, TrustedIssuer> {
    return new Map(Array.from(this.#ofFile, ([issuer, { terms }]) => [issuer, terms]))
  }

  async find(ctx: StoreContext, issuer: string): Promise<KnownIssuer | null> {
    const known = this.#ofFile.get(issuer)
    if (known !== undefined) return known
    const terms = await this.#options.reads.find(ctx, issuer)
    if (terms === null) return null
    const keys = this.#keysOf(terms)
    return { terms, keysFor: (assertion) => keys.keysFor(assertion) }
  }

  async isAny(ctx: StoreContext): Promise<boolean> {
    return this.#ofFile.size > 0 || (await this.#options.reads.isAny(ctx))
  }

  async all(ctx: StoreContext): Promise<readonly TrustedIssuer[]> {
    const { reads } = this.#options
    const found: TrustedIssuer[] = [...this.ofFile.values()]
    let after: string | null = null
    for (;;) {
      const page: readonly RegisteredIssuer[] = await reads.page(ctx, { owner: null }, { after, limit: PAGE })
      found.push(...page.filter(({ issuer }) => !this.#ofFile.has(issuer)))
      after = page.at(-1)?.issuer ?? null
      if (page.length < PAGE) return found.sort((a, b) => byBytes(a.issuer, b.issuer))
    }
  }

  /** Of an issuer whose terms are as before, the keys are fetched again. If that fails, those that were fetched last stay in use. */
  async replace(trusted: readonly TrustedIssuer[]): Promise<void> {
    const before = new Map(this.#ofFile)
    this.#ofFile.clear()
    const kept: IssuerKeys[] = []
    for (const terms of trusted) {
      const known = before.get(terms.issuer)
      if (known !== undefined && isDeepStrictEqual(known.terms, terms)) {
        kept.push(known)
        this.#ofFile.set(terms.issuer, known)
      } else this.#ofFile.set(terms.issuer, new IssuerKeys(terms, this.#options))
    }
    await Promise.all(kept.map((issuer) => issuer.refetch()))
  }

  #keysOf(terms: TrustedIssuer): IssuerKeys {
    const kept = this.#ofDatabase.get(terms.issuer)
    if (kept !== undefined && isDeepStrictEqual(kept.terms.keys, terms.keys)) return kept
    const keys = new IssuerKeys(terms, this.#options)
    this.#ofDatabase.set(terms.issuer, keys)
    return keys
  }
}

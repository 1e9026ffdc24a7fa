import { isDeepStrictEqual } from 'node:util'
import type { KnownIssuer, TrustedIssuers } from '../../auth/trusted-issuers.ts'
import { byBytes } from '../../byte-order.ts'
import type { RegisteredIssuer, TrustedIssuer } from '../../domain/trusted-issuer.ts'
import type { StoreContext } from '../../stores/contract/context.ts'
import type { TrustedIssuerReads } from '../../stores/contract/trusted-issuers.ts'
import type { KeySets } from './key-sets.ts'

const PAGE = 100

interface TrustedIssuerSetOptions {
  readonly keySets: KeySets
  /** Reads the issuers in the database. */
  readonly reads: TrustedIssuerReads
}

/**
 * The issuers whose assertions are accepted for clients. The issuers of the file can be replaced while calls are
 * served.
 */
export class TrustedIssuerSet implements TrustedIssuers {
  readonly #keySets: KeySets
  readonly #reads: TrustedIssuerReads
  #ofFile: ReadonlyMap<string, TrustedIssuer>

  constructor(trusted: readonly TrustedIssuer[], { keySets, reads }: TrustedIssuerSetOptions) {
    this.#keySets = keySets
    this.#reads = reads
    this.#ofFile = byName(trusted)
  }

  get ofFile(): ReadonlyMap<string, TrustedIssuer> {
    return this.#ofFile
  }

  async find(ctx: StoreContext, issuer: string): Promise<KnownIssuer | null> {
    const terms = this.#ofFile.get(issuer) ?? (await this.#reads.find(ctx, issuer))
    return terms === null ? null : { terms, keysFor: (assertion) => this.#keySets.keysFor(terms, assertion) }
  }

  async isAny(ctx: StoreContext): Promise<boolean> {
    return this.#ofFile.size > 0 || (await this.#reads.isAny(ctx))
  }

  async all(ctx: StoreContext): Promise<readonly TrustedIssuer[]> {
    const found: TrustedIssuer[] = [...this.#ofFile.values()]
    let after: string | null = null
    for (;;) {
      const page: readonly RegisteredIssuer[] = await this.#reads.page(ctx, { owner: null }, { after, limit: PAGE })
      found.push(...page.filter(({ issuer }) => !this.#ofFile.has(issuer)))
      after = page.at(-1)?.issuer ?? null
      if (page.length < PAGE) return found.sort((a, b) => byBytes(a.issuer, b.issuer))
    }
  }

  /**
   * Replaces the issuers of the file. The keys of issuers with unchanged terms are read again. If a read fails, the
   * previous keys stay in use.
   */
  async replace(trusted: readonly TrustedIssuer[]): Promise<void> {
    const before = this.#ofFile
    this.#ofFile = byName(trusted)
    const kept = trusted.filter((terms) => isDeepStrictEqual(before.get(terms.issuer), terms))
    await Promise.all(kept.map((terms) => this.#keySets.renew(terms)))
  }
}

function byName(trusted: readonly TrustedIssuer[]): ReadonlyMap<string, TrustedIssuer> {
  return new Map(trusted.map((terms) => [terms.issuer, terms]))
}

import { hash } from 'node:crypto'
import type { ClientKeySets, FoundKeys, IssuerKeySets } from '../../auth/key-sources.ts'
import { BoundedMap } from '../../bounded-map.ts'
import type { Logger } from '../../context.ts'
import type { UnverifiedAssertion } from '../../crypto/assertion.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { KeyHolder } from '../../domain/trusted-issuer.ts'
import { CachedKeys, type ReadingSchedule } from './cached-keys.ts'
import type { KeyReader } from './key-reader.ts'

/** Beyond these the one that was used longest ago is forgotten, and read again when it is needed. */
const MOST_KEPT = 1_000

const FILES: ReadingSchedule = Object.freeze({
  renewAfter: 10_000,
  longestUse: 10_000,
  searchPause: 1_000,
  failurePause: 5_000,
})
const URLS: ReadingSchedule = Object.freeze({
  renewAfter: 60_000,
  longestUse: 300_000,
  searchPause: 60_000,
  failurePause: 5_000,
})

/** As the log says. */
const WHOSE = Object.freeze({ issuer: 'a trusted issuer', client: 'a client' })

export interface KeySetsOptions {
  readonly now: () => EpochMs
  readonly log: Logger
  readonly reader: KeyReader
}

/**
 * The key sets of trusted issuers and of clients. What is kept is the keys of a place, not who trusts it: who
 * changes where an issuer's keys are gets those of the new place at the next call.
 */
export class KeySets implements IssuerKeySets, ClientKeySets {
  readonly #options: KeySetsOptions
  readonly #kept = new BoundedMap<string, CachedKeys>(MOST_KEPT)

  constructor(options: KeySetsOptions) {
    this.#options = options
  }

  async keysFor(holder: KeyHolder, assertion: UnverifiedAssertion): Promise<FoundKeys> {
    const found = await this.#at(holder).keysFor(assertion)
    // JWT-SVID §2.2, §4: which of a bundle's keys signed it, the token says.
    if (holder.kind !== 'spiffe' || !found.ok) return found
    return { ...found, keys: found.keys.filter(({ kid }) => kid === assertion.kid) }
  }

  async keysAt(jwksUri: string, assertion: UnverifiedAssertion): Promise<FoundKeys> {
    return await this.#at(ofClient(jwksUri), 'client').keysFor(assertion)
  }

  /** Reads the keys of an issuer now. If that fails, those that were read last stay in use until they are too old. */
  async renew(holder: KeyHolder): Promise<void> {
    await this.#at(holder).renew()
  }

  #at(holder: KeyHolder, whose: keyof typeof WHOSE = 'issuer'): CachedKeys {
    const place = placeOf(holder)
    const kept = this.#kept.get(place) ?? this.#open(holder, whose)
    // Makes it the one that was used last.
    this.#kept.set(place, kept)
    return kept
  }

  #open(holder: KeyHolder, whose: keyof typeof WHOSE): CachedKeys {
    const { now, log, reader } = this.#options
    const { issuer, keys } = holder
    return new CachedKeys({
      read: () => reader.read(holder),
      schedule: keys.kind === 'url' || keys.kind === 'discovery' ? URLS : FILES,
      now,
      report: (problem) => {
        if (problem === null) log.info({ issuer }, `the keys of ${WHOSE[whose]} can be had again`)
        else log.warn({ issuer, problem }, `the keys of ${WHOSE[whose]} cannot be had`)
      },
    })
  }
}

/** RFC 7591 §2, `jwks_uri`: whoever registers clients names it. */
function ofClient(url: string): KeyHolder {
  return { issuer: url, kind: 'jwt', origin: 'api', keys: { kind: 'url', url, ca: null } }
}

/** Names the place of keys, and all that tells how they are read there. */
function placeOf({ issuer, kind, origin, keys }: KeyHolder): string {
  const where = keys.kind === 'discovery' ? [issuer] : []
  return hash('sha256', JSON.stringify([kind, origin, keys, ...where]), 'base64url')
}

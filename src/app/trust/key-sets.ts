import { hash } from 'node:crypto'
import type { ClientKeySets, FoundKeys, IssuerKeySets } from '../../auth/key-sources.ts'
import { BoundedMap } from '../../bounded-map.ts'
import type { Logger } from '../../context.ts'
import type { UnverifiedAssertion } from '../../crypto/assertion.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { KeyHolder } from '../../domain/trusted-issuer.ts'
import { CachedKeys, type ReadingSchedule } from './cached-keys.ts'
import type { KeyReader } from './key-reader.ts'

/**
 * The maximum number of key sets kept. Beyond it, the least recently used one is dropped and read again when needed.
 */
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

/** The names for the log. */
const WHOSE = Object.freeze({ issuer: 'a trusted issuer', client: 'a client' })

export interface KeySetsOptions {
  readonly now: () => EpochMs
  readonly log: Logger
  readonly reader: KeyReader
}

/**
 * The key sets of trusted issuers and of clients. The cache is keyed by the location of the keys, not by the party that
 * trusts them. If an issuer's location changes, the next call uses the keys of the new location.
 */
export class KeySets implements IssuerKeySets, ClientKeySets {
  readonly #options: KeySetsOptions
  readonly #kept = new BoundedMap<string, CachedKeys>(MOST_KEPT)

  constructor(options: KeySetsOptions) {
    this.#options = options
  }

  async keysFor(holder: KeyHolder, assertion: UnverifiedAssertion): Promise<FoundKeys> {
    const found = await this.#at(holder).keysFor(assertion)
    // JWT-SVID §2.2, §4: the token names the key of the bundle that signed it.
    if (holder.kind !== 'spiffe' || !found.ok) return found
    return { ...found, keys: found.keys.filter(({ kid }) => kid === assertion.kid) }
  }

  async keysAt(jwksUri: string, assertion: UnverifiedAssertion): Promise<FoundKeys> {
    return await this.#at(ofClient(jwksUri), 'client').keysFor(assertion)
  }

  /** Reads the keys of an issuer now. If the read fails, the previous keys stay in use until they expire. */
  async renew(holder: KeyHolder): Promise<void> {
    await this.#at(holder).renew()
  }

  #at(holder: KeyHolder, whose: keyof typeof WHOSE = 'issuer'): CachedKeys {
    const place = placeOf(holder)
    const kept = this.#kept.get(place) ?? this.#open(holder, whose)
    // Makes it the most recently used one.
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

/** RFC 7591 §2: `jwks_uri` is set by the caller that registers the client. */
function ofClient(url: string): KeyHolder {
  return { issuer: url, kind: 'jwt', origin: 'api', keys: { kind: 'url', url, ca: null } }
}

/** The cache key: the location of the keys and everything that affects how they are read. */
function placeOf({ issuer, kind, origin, keys }: KeyHolder): string {
  const where = keys.kind === 'discovery' ? [issuer] : []
  return hash('sha256', JSON.stringify([kind, origin, keys, ...where]), 'base64url')
}

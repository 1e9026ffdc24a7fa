import { hash } from 'node:crypto'
import type {
  ClientKeySets,
  FoundKeys,
  IssuerKeySets,
  KeyReadObserver,
  KeyReadOutcome,
  KeySource,
} from '../../auth/key-sources.ts'
import { BoundedMap } from '../../bounded-map.ts'
import type { Logger } from '../../context.ts'
import type { UnverifiedAssertion } from '../../crypto/assertion.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { KeyHolder } from '../../domain/trusted-issuer.ts'
import { CachedKeys, type ReadingSchedule } from './cached-keys.ts'
import type { KeyReader, ReadKeys } from './key-reader.ts'

/**
 * The maximum number of key sets kept of issuers, and the same of clients. Beyond it, the least recently used one is
 * dropped and read again when needed. The numbers are separate, so that clients cannot drop the keys of issuers.
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

/** Keys that were not needed within this time, in milliseconds, are not renewed, so their age is not reported. */
const RECENTLY = 60_000

/** The names for the log. */
const WHOSE = Object.freeze({ issuer: 'a trusted issuer', client: 'a client' })

export interface KeySetsOptions {
  readonly now: () => EpochMs
  readonly log: Logger
  readonly reader: KeyReader
  readonly observer?: KeyReadObserver | undefined
}

/** The keys at one place. */
interface Kept {
  readonly keys: CachedKeys
  /** `null`: the keys are in the registration. */
  readonly source: KeySource | null
}

/**
 * The key sets of trusted issuers and of clients. The cache is keyed by the location of the keys, not by the party that
 * trusts them. If an issuer's location changes, the next call uses the keys of the new location.
 */
export class KeySets implements IssuerKeySets, ClientKeySets {
  readonly #options: KeySetsOptions
  readonly #kept: Readonly<Record<keyof typeof WHOSE, BoundedMap<string, Kept>>> = Object.freeze({
    issuer: new BoundedMap<string, Kept>(MOST_KEPT),
    client: new BoundedMap<string, Kept>(MOST_KEPT),
  })

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
    return await this.#at(holderOfClientKeys(jwksUri), 'client').keysFor(assertion)
  }

  /** Reads the keys of an issuer now. If the read fails, the previous keys stay in use until they expire. */
  async renew(holder: KeyHolder): Promise<void> {
    await this.#at(holder).renew()
  }

  /** For each source, the greatest age of keys that were needed within the last minute, in milliseconds. */
  ages(): ReadonlyMap<KeySource, number> {
    const ages = new Map<KeySource, number>()
    const { issuer, client } = this.#kept
    for (const { keys, source } of [...issuer.values(), ...client.values()]) {
      const age = source === null ? null : keys.ageIfNeeded(RECENTLY)
      if (source !== null && age !== null) ages.set(source, Math.max(age, ages.get(source) ?? 0))
    }
    return ages
  }

  #at(holder: KeyHolder, whose: keyof typeof WHOSE = 'issuer'): CachedKeys {
    const place = placeOf(holder)
    const all = this.#kept[whose]
    const kept = all.get(place) ?? this.#open(holder, whose)
    // Makes it the most recently used one.
    all.set(place, kept)
    return kept.keys
  }

  #open(holder: KeyHolder, whose: keyof typeof WHOSE): Kept {
    const { now, log } = this.#options
    const { issuer, keys } = holder
    const source = sourceOf(holder, whose)
    const cached = new CachedKeys({
      read: () => this.#read(holder, source),
      schedule: keys.kind === 'url' || keys.kind === 'discovery' ? URLS : FILES,
      now,
      report: (problem) => {
        if (problem === null) log.info({ issuer }, `the keys of ${WHOSE[whose]} can be read again`)
        else log.warn({ issuer, problem }, `the keys of ${WHOSE[whose]} cannot be read`)
      },
    })
    return { keys: cached, source }
  }

  async #read(holder: KeyHolder, source: KeySource | null): Promise<ReadKeys> {
    const { reader, observer } = this.#options
    const startedAt = performance.now()
    const read = await reader.read(holder)
    if (source !== null) observer?.keysRead(source, outcomeOf(read), (performance.now() - startedAt) / 1_000)
    return read
  }
}

function sourceOf({ kind, keys }: KeyHolder, whose: keyof typeof WHOSE): KeySource | null {
  switch (keys.kind) {
    case 'inline':
      return null
    case 'url':
      if (whose === 'client') return 'client_jwks_uri'
      return kind === 'spiffe' ? 'bundle' : 'jwks_uri'
    case 'file':
    case 'discovery':
      return keys.kind
    default:
      return keys satisfies never
  }
}

function outcomeOf(read: ReadKeys): KeyReadOutcome {
  if (read.ok) return 'ok'
  return read.unavailable ? 'unavailable' : 'unusable'
}

/** RFC 7591 §2: `jwks_uri` is set by the caller that registers the client. */
export function holderOfClientKeys(url: string): KeyHolder {
  return { issuer: url, kind: 'jwt', origin: 'api', keys: { kind: 'url', url, ca: null } }
}

/** The cache key: the location of the keys and everything that affects how they are read. */
function placeOf({ issuer, kind, origin, keys }: KeyHolder): string {
  const where = keys.kind === 'discovery' ? [issuer] : []
  return hash('sha256', JSON.stringify([kind, origin, keys, ...where]), 'base64url')
}

import { open } from 'node:fs/promises'
import type { KnownIssuer } from '../auth/trusted-issuers.ts'
import { mayHaveSigned, type UnverifiedAssertion } from '../crypto/assertion.ts'
import { ISSUER_KEYS, readKeySet, type VerificationKey } from '../crypto/key-set.ts'
import type { EpochMs } from '../domain/ids.ts'
import type { KeyLocation, TrustedIssuer } from '../domain/trusted-issuer.ts'
import type { Logger } from '../logger.ts'
import { fetchDocument } from './fetch-document.ts'

/** How long keys are believed, and how long after one look the next may follow. */
const PACE = Object.freeze({
  file: { keptMs: 10_000, againAfterMs: 1_000 },
  url: { keptMs: 300_000, againAfterMs: 30_000 },
} satisfies Record<KeyLocation['kind'], object>)
const AGAIN_AFTER_FAILURE_MS = 5_000

export interface IssuerKeysOptions {
  readonly now: () => EpochMs
  readonly log: Logger
}

/**
 * The keys of an issuer, kept for a while so that a key it withdraws is soon
 * refused, and looked for anew when an assertion names one that is not known:
 * seldom enough that assertions with made-up names cannot flood the issuer.
 */
export class IssuerKeys implements KnownIssuer {
  readonly terms: TrustedIssuer
  readonly #options: IssuerKeysOptions
  #kept: { readonly keys: readonly VerificationKey[]; readonly at: number } | null = null
  #failedAt: number | null = null
  #looking: Promise<readonly VerificationKey[] | null> | null = null

  constructor(terms: TrustedIssuer, options: IssuerKeysOptions) {
    this.terms = terms
    this.#options = options
  }

  async keysFor(assertion: UnverifiedAssertion): Promise<readonly VerificationKey[] | null> {
    const { keptMs, againAfterMs } = PACE[this.terms.keys.kind]
    const now = this.#options.now()
    const kept = this.#kept !== null && isWithin(keptMs, this.#kept.at, now) ? this.#kept : null
    const isKnown = kept?.keys.some((key) => mayHaveSigned(key, assertion)) ?? false
    if (kept !== null && (isKnown || isWithin(againAfterMs, kept.at, now))) return kept.keys
    if (this.#failedAt !== null && isWithin(AGAIN_AFTER_FAILURE_MS, this.#failedAt, now)) return null
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
    })
    return await this.#looking
  }

  /** Reads the keys now, whatever is kept; where that fails, what is kept goes on. */
  async lookAgain(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
    })
    await this.#looking
  }

  async #look(): Promise<readonly VerificationKey[] | null> {
    const { now, log } = this.#options
    const { issuer, keys: location } = this.terms
    try {
      const keys = await fetchIssuerKeys(location)
      this.#kept = { keys, at: now() }
      this.#failedAt = null
      return keys
    } catch (error) {
      this.#failedAt = now()
      log.warn({ err: error, issuer }, 'the keys of a trusted issuer cannot be had; its assertions are refused')
      return null
    }
  }
}

/** A clock that was put back must not keep what is old, or a failure, for as long as it was ahead. */
function isWithin(ms: number, then: number, now: number): boolean {
  return Math.abs(now - then) < ms
}

/** The keys as they are now. Throws an error of one line, which says where they should be, if they cannot be had or used. */
export async function fetchIssuerKeys(location: KeyLocation): Promise<readonly VerificationKey[]> {
  const read = readKeySet(await documentAt(location), ISSUER_KEYS)
  if (read.ok) return read.keys
  const place = location.kind === 'file' ? location.path : location.url
  throw new Error(`the key set at ${place} ${read.problems.join('; ')}`)
}

function documentAt(location: KeyLocation): Promise<string> {
  switch (location.kind) {
    case 'file':
      return readDocument(location.path, ISSUER_KEYS.maxBytes)
    case 'url':
      return fetchDocument(location.url, { ca: location.ca, maxBytes: ISSUER_KEYS.maxBytes })
    default:
      return location satisfies never
  }
}

/** Reads a small file; of one that is larger, no more than shows that it is. */
async function readDocument(path: string, maxBytes: number): Promise<string> {
  const file = await open(path)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path} is no file`)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

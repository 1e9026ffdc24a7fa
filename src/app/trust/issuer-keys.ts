import { open } from 'node:fs/promises'
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import type { KnownIssuer } from '../../auth/trusted-issuers.ts'
import type { Logger } from '../../context.ts'
import { mayHaveSigned, type UnverifiedAssertion } from '../../crypto/assertion.ts'
import { ISSUER_KEYS, readKeySet, type VerificationKey } from '../../crypto/key-set.ts'
import type { EpochMs } from '../../domain/ids.ts'
import type { KeyLocation, TrustedIssuer } from '../../domain/trusted-issuer.ts'

/** How long fetched keys are used, and how soon after one fetch the next may follow. */
const CACHING = Object.freeze({
  file: { maxAgeMs: 10_000, refetchAfterMs: 1_000 },
  url: { maxAgeMs: 300_000, refetchAfterMs: 30_000 },
} satisfies Record<KeyLocation['kind'], object>)
const RETRY_AFTER_FAILURE_MS = 5_000
const FETCH_TIMEOUT_MS = 5_000

export interface IssuerKeysOptions {
  readonly now: () => EpochMs
  readonly log: Logger
}

/**
 * The keys of an issuer. They are cached for a while, so that a key that the issuer
 * withdraws is soon refused. They are fetched again when an assertion names a key that
 * is not known, but so seldom that assertions with made-up names cannot flood the issuer.
 */
export class IssuerKeys implements KnownIssuer {
  readonly terms: TrustedIssuer
  readonly #options: IssuerKeysOptions
  #cached: { readonly keys: readonly VerificationKey[]; readonly at: number } | null = null
  #failedAt: number | null = null
  #fetching: Promise<readonly VerificationKey[] | null> | null = null

  constructor(terms: TrustedIssuer, options: IssuerKeysOptions) {
    this.terms = terms
    this.#options = options
  }

  async keysFor(assertion: UnverifiedAssertion): Promise<readonly VerificationKey[] | null> {
    const { maxAgeMs, refetchAfterMs } = CACHING[this.terms.keys.kind]
    const now = this.#options.now()
    const cached = this.#cached !== null && isWithin(maxAgeMs, this.#cached.at, now) ? this.#cached : null
    const isKnown = cached?.keys.some((key) => mayHaveSigned(key, assertion)) ?? false
    if (cached !== null && (isKnown || isWithin(refetchAfterMs, cached.at, now))) return cached.keys
    if (this.#failedAt !== null && isWithin(RETRY_AFTER_FAILURE_MS, this.#failedAt, now)) return null
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = null
    })
    return await this.#fetching
  }

  /** Fetches the keys now, whatever is cached. If that fails, the cached keys stay in use. */
  async refetch(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = null
    })
    await this.#fetching
  }

  async #fetch(): Promise<readonly VerificationKey[] | null> {
    const { now, log } = this.#options
    const { issuer, keys: location } = this.terms
    try {
      const keys = await fetchIssuerKeys(location)
      this.#cached = { keys, at: now() }
      this.#failedAt = null
      return keys
    } catch (error) {
      this.#failedAt = now()
      log.warn({ err: error, issuer }, 'the keys of a trusted issuer cannot be fetched; its assertions are refused')
      return null
    }
  }
}

/** A clock that was set back must not keep old keys, or a failure, for as long as it was ahead. */
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
    if (!(await file.stat()).isFile()) throw new Error(`${path} is not a file`)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

interface FetchOptions {
  /** Certificates in PEM; `null`: those that the machine trusts. */
  readonly ca: string | null
  readonly maxBytes: number
}

/** Fetches a small text. Follows no redirects, waits for no more than 5 s, reads no more than `maxBytes`; throws otherwise. */
async function fetchDocument(url: string, { ca, maxBytes }: FetchOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  const options = { agent: false, headers: { accept: 'application/json' }, signal } as const
  const request = url.startsWith('https:')
    ? requestTls(url, { ...options, ...(ca !== null && { ca }) })
    : requestPlain(url, options)
  // An error without a listener would end the process, and a host may cause more than one.
  request.on('error', reject).once('response', (response) => {
    const giveUp = (error: Error) => {
      request.destroy()
      reject(error)
    }
    response.on('error', reject)
    if (response.statusCode !== 200) return giveUp(new Error(`${url} answers ${response.statusCode}`))
    const chunks: Buffer[] = []
    let size = 0
    response
      .on('data', (chunk: Buffer) => {
        size += chunk.byteLength
        if (size > maxBytes) giveUp(new Error(`${url} answers with more than ${maxBytes} bytes`))
        else chunks.push(chunk)
      })
      .once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
  request.end()
  return await promise
}

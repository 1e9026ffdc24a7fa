import type { LookupAddress, LookupOptions } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { isLoopback } from '../../config/address.ts'
import type { PrivateHosts } from '../../config/value-types.ts'
import { remoteUrlProblem } from '../../domain/remote-url.ts'
import type { IssuerOrigin } from '../../domain/trusted-issuer.ts'
import { firstLineOf } from '../../message-of.ts'
import { checkUrl } from '../../url.ts'
import { AddressPolicy } from './address-policy.ts'

/** A document at a URL. */
export interface RemoteDocument {
  readonly url: string
  /** The origin of the URL, or of the party that set it. */
  readonly origin: IssuerOrigin
  /** CA certificates in PEM that authenticate the host. `null`: the CA certificates of the machine. */
  readonly ca: string | null
}

/**
 * `problem`: one line that contains the URL. `status`: the HTTP status if it is not 200; `null`: there was no usable
 * answer.
 */
export type FetchedDocument =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string; readonly status: number | null }

/** Resolves all addresses of a host. */
export type ResolveHost = (host: string) => Promise<LookupAddress[]>

export interface DocumentFetcherOptions {
  readonly privateHosts: PrivateHosts
  /** Default: the resolver of the machine. */
  readonly resolve?: ResolveHost
}

/** The time limit for a document, from the DNS lookup to the last byte. */
export const FETCH_TIMEOUT_MS = 5_000
const MOST_BYTES = 262_144

const resolveHost: ResolveHost = (host) => lookup(host, { all: true })

/**
 * Fetches small documents from hosts that other parties name. It follows no redirects, uses no proxy of the
 * environment, and reads at most 256 KiB. For a URL that was set through the API, it connects only to addresses that
 * the policy allows. The checked addresses are the ones that it connects to, so DNS rebinding has no effect.
 */
export class DocumentFetcher {
  readonly #policy: AddressPolicy
  readonly #resolve: ResolveHost
  /** The pending lookups by host. */
  readonly #lookups = new Map<string, Promise<LookupAddress[]>>()

  constructor({ privateHosts, resolve = resolveHost }: DocumentFetcherOptions) {
    this.#policy = new AddressPolicy(privateHosts)
    this.#resolve = resolve
  }

  /**
   * Returns the text of the document, or the reason why it is not available. `signal` aborts the wait. Never throws.
   */
  async fetch(document: RemoteDocument, signal: AbortSignal): Promise<FetchedDocument> {
    const { url, origin } = document
    const refused = (problem: string): FetchedDocument => ({ ok: false, problem: `${url} ${problem}`, status: null })
    const problem = origin === 'api' ? remoteUrlProblem(url) : urlOfFileProblem(url)
    if (problem !== null) return refused(problem)
    const host = hostOf(url)
    // A host that is an IP address needs no lookup.
    if (isIP(host) !== 0 && !this.#mayReach(origin, host, host)) return refused(NOT_PUBLIC)
    try {
      return await this.#request(document, signal)
    } catch (error) {
      return refused(signal.aborted ? 'does not answer in time' : `cannot be fetched: ${firstLineOf(error)}`)
    }
  }

  #mayReach(origin: IssuerOrigin, host: string, address: string): boolean {
    return origin === 'file' || this.#policy.allows(host, address)
  }

  async #request({ url, origin, ca }: RemoteDocument, signal: AbortSignal): Promise<FetchedDocument> {
    const { promise, resolve, reject } = Promise.withResolvers<FetchedDocument>()
    const failed = (problem: string, status: number | null = null) => {
      request.destroy()
      resolve({ ok: false, problem: `${url} ${problem}`, status })
    }
    const options = {
      agent: false,
      headers: { accept: 'application/json' },
      signal,
      lookup: this.#lookupFor(origin),
    } as const
    const request = url.startsWith('https:')
      ? // Set explicitly, because an environment variable could turn it off.
        requestTls(url, { ...options, rejectUnauthorized: true, ...(ca !== null && { ca }) })
      : requestPlain(url, options)
    // A host may cause more than one error. An `error` event without a listener would end the process.
    request.on('error', reject)
    // Without a listener, neither an error nor an answer would follow, and the time limit would have no effect either.
    request.once('upgrade', ({ statusCode = 0 }, socket) => {
      socket.destroy()
      failed(`answers ${statusCode}`, statusCode)
    })
    request.once('response', (response) => {
      response.on('error', reject)
      const { statusCode = 0 } = response
      if (statusCode !== 200) return failed(`answers ${statusCode}`, statusCode)
      const chunks: Buffer[] = []
      let size = 0
      response
        .on('data', (chunk: Buffer) => {
          size += chunk.byteLength
          if (size > MOST_BYTES) failed(`answers with more than ${MOST_BYTES / 1_024} KiB`)
          else chunks.push(chunk)
        })
        .once('end', () => resolve({ ok: true, text: Buffer.concat(chunks).toString('utf8') }))
    })
    request.end()
    return await promise
  }

  /** A lookup that returns only addresses to which a connection is allowed. */
  #lookupFor(origin: IssuerOrigin): LookupFunction {
    return (host, { all }: LookupOptions, found) =>
      void this.#addressesOf(host).then(
        (addresses) => {
          const allowed = addresses.filter(({ address }) => this.#mayReach(origin, host, address))
          const [first] = allowed
          if (first === undefined) return found(new Error(NOT_PUBLIC), '')
          if (all === true) found(null, allowed)
          else found(null, first.address, first.family)
        },
        (error: Error) => found(error, ''),
      )
  }

  /**
   * Resolves a host, or joins its pending lookup. The machine runs few lookups at the same time, and none can be aborted.
   * Without this, retries for one slow host would take all of them, and no other host would be resolved.
   */
  #addressesOf(host: string): Promise<LookupAddress[]> {
    const pending = this.#lookups.get(host)
    if (pending !== undefined) return pending
    const started = this.#resolve(host).finally(() => this.#lookups.delete(host))
    this.#lookups.set(host, started)
    return started
  }
}

const NOT_PUBLIC = 'has no address that may be connected to (QSCOPE_TRUST_PRIVATE_HOSTS names the exceptions)'

/** The form for resolution: an IPv6 address without its brackets. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
}

/** Checks URLs that the operator set, and URLs in the metadata of an issuer that the operator configured. */
function urlOfFileProblem(url: string): string | null {
  const checked = checkUrl(url, { query: true })
  if (!checked.ok) return checked.problem
  const secure = checked.url.protocol === 'https:' || isLoopback(checked.url.hostname)
  return secure ? null : 'is not an https URL (http on loopback only)'
}

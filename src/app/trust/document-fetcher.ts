import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
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
  /** Who set the URL, or named whoever did. */
  readonly origin: IssuerOrigin
  /** Certificates in PEM that vouch for the host; `null`: those that the machine trusts. */
  readonly ca: string | null
}

/** `problem`: one line, with the URL. `status`: of an answer other than 200; `null`: there was no answer of use. */
export type FetchedDocument =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string; readonly status: number | null }

/** All addresses of a host, as `dns.lookup` gives them with `all`. */
export type ResolveHost = (host: string, found: (error: Error | null, addresses: LookupAddress[]) => void) => void

export interface DocumentFetcherOptions {
  readonly privateHosts: PrivateHosts
  /** The resolver of the machine if not given. */
  readonly resolve?: ResolveHost
}

/** The time for a document and what leads to it, from the look-up of the host to the last byte. */
export const FETCH_TIMEOUT_MS = 5_000
const MOST_BYTES = 262_144

const resolveHost: ResolveHost = (host, found) => lookup(host, { all: true }, found)

/**
 * Fetches small documents from hosts that others name. It follows no redirect, uses no proxy of the environment,
 * and reads no more than 256 KiB. A URL that was set through the API is connected to only at addresses that the
 * policy allows: those that the host has at that moment are judged, and one of them is connected to, so that a
 * name that changes its addresses in between gains nothing.
 */
export class DocumentFetcher {
  readonly #policy: AddressPolicy
  readonly #resolve: ResolveHost

  constructor({ privateHosts, resolve = resolveHost }: DocumentFetcherOptions) {
    this.#policy = new AddressPolicy(privateHosts)
    this.#resolve = resolve
  }

  /** The text of the document, or why it cannot be had. `signal` ends the wait. Never throws. */
  async fetch(document: RemoteDocument, signal: AbortSignal): Promise<FetchedDocument> {
    const { url, origin } = document
    const refused = (problem: string): FetchedDocument => ({ ok: false, problem: `${url} ${problem}`, status: null })
    const problem = origin === 'api' ? remoteUrlProblem(url) : urlOfFileProblem(url)
    if (problem !== null) return refused(problem)
    const host = hostOf(url)
    // The address of a host that is one is not looked up.
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
      ? // Said expressly, since a variable of the environment could turn it off.
        requestTls(url, { ...options, rejectUnauthorized: true, ...(ca !== null && { ca }) })
      : requestPlain(url, options)
    // An error without a listener would end the process, and a host may cause more than one.
    request.on('error', reject).once('response', (response) => {
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

  /** A look-up that finds only addresses which may be connected to. */
  #lookupFor(origin: IssuerOrigin): LookupFunction {
    return (host, { all }: LookupOptions, found) =>
      this.#resolve(host, (error, addresses) => {
        if (error !== null) return found(error, '')
        const allowed = addresses.filter(({ address }) => this.#mayReach(origin, host, address))
        const [first] = allowed
        if (first === undefined) return found(new Error(NOT_PUBLIC), '')
        if (all === true) found(null, allowed)
        else found(null, first.address, first.family)
      })
  }
}

const NOT_PUBLIC = 'has no address that may be connected to (QSCOPE_TRUST_PRIVATE_HOSTS names the exceptions)'

/** As it is resolved: without the brackets around an IPv6 address. */
function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')
}

/** URLs that the operator set, or the metadata of an issuer that the operator named. */
function urlOfFileProblem(url: string): string | null {
  const checked = checkUrl(url, { query: true })
  if (!checked.ok) return checked.problem
  const secure = checked.url.protocol === 'https:' || isLoopback(checked.url.hostname)
  return secure ? null : 'is no https URL (http on loopback only)'
}

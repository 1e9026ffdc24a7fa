import { BoundedMap } from '../../bounded-map.ts'
import type { CallContext } from '../../context.ts'
import { type CertificateProblem, CertificateVerifier, type ValidityPeriod } from '../../crypto/certificate-verifier.ts'
import { readCertificate } from '../../crypto/peer-certificate.ts'
import { isCertificateOf, isCurrent, type PeerCertificate } from '../../domain/certificate.ts'
import { type FailedResult, fail, invalidRequest, type Result, success } from '../../results.ts'
import { readClientCert } from './client-cert.ts'
import type { ReadHeader } from './told-certificate.ts'
import { readForwardedClientCert } from './xfcc.ts'

const XFCC = 'x-forwarded-client-cert'
const CLIENT_CERT = 'client-cert'
const CLIENT_CERT_CHAIN = 'client-cert-chain'
/** The maximum length of all these headers together, in characters. It equals the limit of the HTTP port. */
const LONGEST = 16_384
const KEPT = 256

const NONE = success<PeerCertificate | null>(null)

/** The headers of a call, from gRPC metadata or HTTP. */
export interface ForwardedHeaders {
  /** All values of a header. A call without headers has no such function. */
  headers?(name: string): readonly string[]
}

/** What is known of a connection without what is sent over it. */
interface Connection {
  readonly peer: string
  readonly certificate: PeerCertificate | null
}

interface Verified {
  readonly certificate: PeerCertificate
  readonly period: ValidityPeriod
}

export interface TrustedProxiesOptions {
  /** Names of Unix domain sockets at which proxies connect; see `socketName`. */
  readonly sockets: readonly string[]
  /** Subject alternative names of the proxies' certificates, in the spelling of `parseTlsClientSubject`. */
  readonly alternativeNames: readonly string[]
  /** Certificates of the client CA, in PEM. */
  readonly clientCa: Buffer
}

/**
 * The proxies that may forward the certificates of their callers. A proxy is identified by its own certificate, which
 * the client CA issued, or by the Unix domain socket to which it could connect. A forwarded certificate is verified again. A call through a proxy never counts as authenticated
 * by the proxy's certificate.
 */
export class TrustedProxies {
  readonly #sockets: readonly string[]
  readonly #alternativeNames: readonly string[]
  #verifier: CertificateVerifier
  /** Verified certificates by header text. The same text always contains the same certificates. */
  readonly #verified = new BoundedMap<string, Verified>(KEPT)

  /** @throws Error if the CA's certificates cannot be parsed. */
  constructor({ sockets, alternativeNames, clientCa }: TrustedProxiesOptions) {
    this.#sockets = sockets
    this.#alternativeNames = alternativeNames
    this.#verifier = new CertificateVerifier(clientCa)
  }

  /** Replaces the CA that certificates are verified against. @throws Error if it cannot be parsed. */
  replaceClientCa(clientCa: Buffer): void {
    this.#verifier = new CertificateVerifier(clientCa)
    this.#verified.clear()
  }

  /** Whether a connection is one of a proxy. */
  include({ peer, certificate }: Connection, now: number): boolean {
    if (this.#sockets.includes(peer)) return true
    if (certificate === null || !isCurrent(certificate, now)) return false
    return this.#alternativeNames.some((name) => isCertificateOf(name, certificate))
  }

  /** The certificate of the caller behind a proxy. `null`: the caller presented none to the proxy. */
  certificateBehind(
    info: ForwardedHeaders,
    { now, log, rayId }: Pick<CallContext, 'now' | 'log' | 'rayId'>,
  ): Result<PeerCertificate | null> {
    const told = toldIn(info)
    if (!told.ok) return told
    if (told.value === null) return NONE
    const { name, key, read } = told.value
    const known = this.#verified.get(key)
    if (known !== undefined && known.period.notBefore <= now && now <= known.period.notAfter)
      return success(known.certificate)
    const certificate = read()
    if ('problem' in certificate) return invalidRequest(name, certificate.problem)
    const { leaf, chain } = certificate
    const verification = this.#verifier.verify(leaf, chain, now)
    if (!verification.ok) {
      const { problem } = verification
      log.info(
        { rayId, problem, fingerprint256: leaf.fingerprint256 },
        'the certificate that a proxy forwarded is refused',
      )
      return fail('oauth.invalid_client', { because: BECAUSE[problem] })
    }
    const verified = { certificate: readCertificate(leaf, true), period: verification.period }
    this.#verified.set(key, verified)
    return success(verified.certificate)
  }
}

const BECAUSE = Object.freeze({
  untrusted: 'forwarded_untrusted',
  purpose: 'forwarded_purpose',
  expired: 'forwarded_expired',
} as const satisfies Record<CertificateProblem, string>)

/** The forwarded certificate in the headers of a call. */
interface Told {
  readonly name: string
  readonly key: string
  readonly read: () => ReadHeader
}

/** Accepts each header at most once, and only one of the two header formats. */
function toldIn(info: ForwardedHeaders): Result<Told | null> {
  const values = [XFCC, CLIENT_CERT, CLIENT_CERT_CHAIN].map((name) => info.headers?.(name) ?? [])
  const [xfcc, certificate, chain] = values.map(([first]) => first)
  if (xfcc === undefined && certificate === undefined && chain === undefined) return success(null)
  const refusal = whyUnclear(values)
  if (refusal !== null) return refusal
  if (xfcc !== undefined)
    return success({ name: XFCC, key: `${XFCC} ${xfcc}`, read: () => readForwardedClientCert(xfcc) })
  if (certificate === undefined) return invalidRequest(CLIENT_CERT_CHAIN, 'was sent without client-cert')
  return success({
    name: CLIENT_CERT,
    key: `${CLIENT_CERT} ${certificate} ${chain ?? ''}`,
    read: () => readClientCert(certificate, chain ?? null),
  })
}

function whyUnclear(values: readonly (readonly string[])[]): FailedResult | null {
  const [xfcc = [], certificate = [], chain = []] = values
  if (xfcc.length > 0 && certificate.length + chain.length > 0) {
    return invalidRequest(XFCC, 'was sent together with client-cert, which also contains a certificate')
  }
  if (xfcc.length > 1) return invalidRequest(XFCC, 'was sent more than once')
  if (certificate.length > 1) return invalidRequest(CLIENT_CERT, 'was sent more than once')
  if (chain.length > 1) return invalidRequest(CLIENT_CERT_CHAIN, 'was sent more than once')
  const size = values.flat().reduce((sum, { length }) => sum + length, 0)
  return size > LONGEST
    ? invalidRequest(xfcc.length > 0 ? XFCC : CLIENT_CERT, `is longer than ${LONGEST} characters`)
    : null
}

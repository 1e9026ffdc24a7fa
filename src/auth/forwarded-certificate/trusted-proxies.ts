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
/** Of the headers together, in characters: what the HTTP port takes at most. */
const LONGEST = 16_384
const KEPT = 256

const NONE = success<PeerCertificate | null>(null)

/** What came with a call, of metadata or HTTP. */
export interface ForwardedHeaders {
  /** All values of a header. A call without headers has no such function. */
  headers?(name: string): readonly string[]
}

interface Verified {
  readonly certificate: PeerCertificate
  readonly period: ValidityPeriod
}

export interface TrustedProxiesOptions {
  /** Names of the proxies' own certificates, as `parseTlsClientSubject` spells them. */
  readonly alternativeNames: readonly string[]
  /** Certificates of the CA for clients, in PEM. */
  readonly clientCa: Buffer
}

/**
 * The proxies that may tell whose certificate they saw. A proxy is known by its own certificate, which the CA for clients
 * issued. What it tells is verified again. A call of a proxy never counts as one with the proxy's certificate.
 */
export class TrustedProxies {
  readonly #alternativeNames: readonly string[]
  #verifier: CertificateVerifier
  /** What was verified, by what was told: the same text is the same certificates. */
  readonly #verified = new BoundedMap<string, Verified>(KEPT)

  /** @throws Error when the CA's certificates cannot be read. */
  constructor({ alternativeNames, clientCa }: TrustedProxiesOptions) {
    this.#alternativeNames = alternativeNames
    this.#verifier = new CertificateVerifier(clientCa)
  }

  /** From now on certificates are those of another CA. @throws Error when it cannot be read. */
  replaceClientCa(clientCa: Buffer): void {
    this.#verifier = new CertificateVerifier(clientCa)
    this.#verified.clear()
  }

  /** Whether the certificate of a connection is a proxy's. */
  include(certificate: PeerCertificate | null, now: number): certificate is PeerCertificate {
    if (certificate === null || !isCurrent(certificate, now)) return false
    return this.#alternativeNames.some((name) => isCertificateOf(name, certificate))
  }

  /** The certificate of the caller behind a proxy; `null`: the proxy saw none. */
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

/** What the headers of a call tell. */
interface Told {
  readonly name: string
  readonly key: string
  readonly read: () => ReadHeader
}

/** Each header at most once, and of the two ways to tell only one. */
function toldIn(info: ForwardedHeaders): Result<Told | null> {
  const values = [XFCC, CLIENT_CERT, CLIENT_CERT_CHAIN].map((name) => info.headers?.(name) ?? [])
  const [xfcc, certificate, chain] = values.map(([first]) => first)
  if (xfcc === undefined && certificate === undefined && chain === undefined) return success(null)
  const refusal = whyUnclear(values)
  if (refusal !== null) return refusal
  if (xfcc !== undefined)
    return success({ name: XFCC, key: `${XFCC} ${xfcc}`, read: () => readForwardedClientCert(xfcc) })
  if (certificate === undefined) return invalidRequest(CLIENT_CERT_CHAIN, 'came without client-cert')
  return success({
    name: CLIENT_CERT,
    key: `${CLIENT_CERT} ${certificate} ${chain ?? ''}`,
    read: () => readClientCert(certificate, chain ?? null),
  })
}

function whyUnclear(values: readonly (readonly string[])[]): FailedResult | null {
  const [xfcc = [], certificate = [], chain = []] = values
  if (xfcc.length > 0 && certificate.length + chain.length > 0) {
    return invalidRequest(XFCC, 'came beside client-cert, which tells of a certificate too')
  }
  if (xfcc.length > 1) return invalidRequest(XFCC, 'came more than once')
  if (certificate.length > 1) return invalidRequest(CLIENT_CERT, 'came more than once')
  if (chain.length > 1) return invalidRequest(CLIENT_CERT_CHAIN, 'came more than once')
  const size = values.flat().reduce((sum, { length }) => sum + length, 0)
  return size > LONGEST
    ? invalidRequest(xfcc.length > 0 ? XFCC : CLIENT_CERT, `is longer than ${LONGEST} characters`)
    : null
}

import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Identity } from './certificates.ts'

const openssl = (...args: readonly string[]) => execFileSync('openssl', [...args], { stdio: 'pipe' })
const P256 = Object.freeze(['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'])

export interface Wanted {
  /** Lines of an OpenSSL configuration, such as `subjectAltName = DNS:a` or `keyUsage = critical, keyCertSign`. */
  readonly extensions?: readonly string[]
  /** Options of the key for `openssl req`. Default: P-256. */
  readonly key?: readonly string[]
  /** An option of `openssl x509`, such as `-sha1`. */
  readonly digest?: string
  readonly days?: number
  /** The common name. Default: a unique one. */
  readonly name?: string
}

/** Creates certificates with given extensions in a folder of its own. */
export class ClientPki {
  readonly #folder: string
  #made = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A self-signed certificate. */
  root({ extensions = CA_EXTENSIONS, key = P256, name = 'root' }: Wanted = {}): Identity {
    const { cert, keyFile, config } = this.#paths(name, extensions)
    openssl(
      'req',
      '-x509',
      ...key,
      '-days',
      '2',
      '-config',
      config,
      '-extensions',
      'ext',
      '-out',
      cert,
      '-keyout',
      keyFile,
    )
    return identityOf(cert, keyFile)
  }

  /** A certificate of the given issuer. */
  issue(issuer: Identity, wanted: Wanted = {}): Identity {
    const { extensions = [], key = P256, digest = '-sha256', days = 2, name = 'issued' } = wanted
    const { cert, keyFile, config, csr } = this.#paths(name, extensions)
    openssl('req', '-new', ...key, '-config', config, '-out', csr, '-keyout', keyFile)
    const by = ['-CA', issuer.certFile, '-CAkey', issuer.keyFile, '-days', String(days), digest]
    openssl('x509', '-req', '-in', csr, ...by, '-extfile', config, '-extensions', 'ext', '-out', cert)
    return identityOf(cert, keyFile)
  }

  /** A certificate of an intermediate CA. */
  intermediate(issuer: Identity, extensions: readonly string[] = CA_EXTENSIONS): Identity {
    return this.issue(issuer, { extensions })
  }

  #paths(name: string, extensions: readonly string[]) {
    this.#made += 1
    const path = (end: string) => join(this.#folder, `${name}-${this.#made}.${end}`)
    const head = ['[req]', 'distinguished_name = dn', 'prompt = no', '[dn]', `CN = ${name}`, '[ext]']
    // A section must not be empty.
    writeFileSync(path('cnf'), [...head, 'subjectKeyIdentifier = hash', ...extensions, ''].join('\n'))
    return { cert: path('pem'), keyFile: path('key'), config: path('cnf'), csr: path('csr') }
  }
}

const CA_EXTENSIONS = Object.freeze(['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign'])

function identityOf(certFile: string, keyFile: string): Identity {
  const cert = readFileSync(certFile)
  const thumbprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url')
  return { certFile, keyFile, cert, key: readFileSync(keyFile), thumbprint }
}

type Shown = Pick<Identity, 'cert'>

/** Certificates in PEM as Envoy writes them into a header. */
export function urlEncoded(...certificates: readonly Shown[]): string {
  return encodeURIComponent(certificates.map(({ cert }) => cert.toString()).join(''))
}

/** The certificate's DER as a byte sequence of structured fields (RFC 8941 §3.3.5). */
export function byteSequence({ cert }: Shown): string {
  return `:${new X509Certificate(cert).raw.toString('base64')}:`
}

/** The `Hash` of Envoy's header. */
export function hexHash({ cert }: Shown): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')
}

import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials } from '@grpc/grpc-js'
import { afterAll } from 'vitest'

/** A certificate and its key, in files and in memory. */
export interface Identity {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: Buffer
  readonly key: Buffer
  /** `x5t#S256`. */
  readonly thumbprint: string
}

/** Names under which a server on this machine can be reached. */
export const LOCAL_NAMES = Object.freeze(['DNS:localhost', 'IP:127.0.0.1'])

/** Creates a folder for the suite. It is removed at the end. */
export function suiteFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qscope-tls-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const openssl = (...args: readonly string[]) => execFileSync('openssl', [...args], { stdio: 'pipe' })
const P256 = Object.freeze(['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'])

function identityIn(folder: string, name: string): Identity {
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const cert = readFileSync(certFile)
  const thumbprint = Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(':', ''), 'hex')
  return { certFile, keyFile, cert, key: readFileSync(keyFile), thumbprint: thumbprint.toString('base64url') }
}

/** Names in OpenSSL's format: `DNS:…`, `URI:…`, `IP:…`, `email:…`. */
export function selfSigned(folder: string, name: string, names: readonly string[] = []): Identity {
  const extensions = names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`]
  const [out, keyout] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  openssl('req', '-x509', ...P256, '-days', '2', '-subj', `/CN=${name}`, ...extensions, '-out', out, '-keyout', keyout)
  return identityIn(folder, name)
}

/** A certificate with arbitrary names, as lines of an OpenSSL configuration: `URI.1 = …`. */
export function selfSignedWith(folder: string, name: string, lines: readonly string[]): Identity {
  const config = join(folder, `${name}.cnf`)
  const head = ['[req]', 'distinguished_name = dn', 'x509_extensions = ext', 'prompt = no', '[dn]', `CN = ${name}`]
  writeFileSync(config, [...head, '[ext]', 'subjectAltName = @names', '[names]', ...lines, ''].join('\n'))
  const [out, keyout] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  openssl('req', '-x509', ...P256, '-days', '2', '-config', config, '-out', out, '-keyout', keyout)
  return identityIn(folder, name)
}

/** Creates a CA with openssl. */
export function certificateAuthority(folder: string, name: string) {
  const root = selfSigned(folder, name)
  return {
    ...root,
    issue(leaf: string, names: readonly string[]): Identity {
      const path = (end: string) => join(folder, `${leaf}.${end}`)
      const request = ['-subj', `/CN=${leaf}`, '-addext', `subjectAltName=${names.join(',')}`]
      openssl('req', '-new', ...P256, ...request, '-out', path('csr'), '-keyout', path('key'))
      const issuer = ['-CA', root.certFile, '-CAkey', root.keyFile, '-days', '2', '-copy_extensions', 'copy']
      openssl('x509', '-req', '-in', path('csr'), ...issuer, '-out', path('pem'))
      return identityIn(folder, leaf)
    },
  }
}

/** A channel that trusts a CA and optionally presents a certificate. */
export function channelOf(ca: Pick<Identity, 'cert'>, shown: Pick<Identity, 'cert' | 'key'> | null = null) {
  return credentials.createSsl(ca.cert, shown?.key ?? null, shown?.cert ?? null)
}

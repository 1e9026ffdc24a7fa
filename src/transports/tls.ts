import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/** What a server proves itself with, in PEM. */
export interface TlsMaterial {
  /** The certificate, and those that issued it. */
  readonly cert: Buffer
  readonly key: Buffer
  /** Of the CA for clients; `null`: there is none, so no certificate is believed for its names. */
  readonly clientCa: Buffer | null
}

/** Whether a server asks its clients for a certificate, as in the configuration. */
export type ClientCertificates = 'none' | 'request' | 'require'

/** What a server proves itself with, as long as it runs. */
export interface TlsSource {
  readonly material: TlsMaterial
  readonly clients: ClientCertificates
  /** Calls back whenever the material was replaced: new handshakes get the new one. */
  onReplaced(listener: (material: TlsMaterial) => void): void
}

/** The TLS context of a server. RFC 9325 §3.1.1: TLS 1.2 at least. */
export function contextOf({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  // A resumed session would bring a certificate along that nobody looked at again, for little gain on connections that last.
  const secureOptions = constants.SSL_OP_NO_TICKET
  // An empty list: without it, the CAs that this machine trusts for servers would vouch for clients.
  return { cert, key, ca: clientCa ?? [], minVersion: 'TLSv1.2', secureOptions }
}

/**
 * Whether a private key in PEM needs a passphrase, which nothing here asks for: PKCS #8
 * (RFC 5958 §3), or the older form of OpenSSL (RFC 1421 §4.6.1.1).
 */
export function isEncryptedKey(pem: Buffer): boolean {
  return pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED')
}

/** What to say of such a file, after its name. */
export function encryptedKeyProblem(path: string): string {
  return `${path} is an encrypted private key, and there is no passphrase to read it with; decrypt it: openssl pkey -in ${path} -out <file>`
}

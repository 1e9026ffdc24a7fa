import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/** The credentials of a server, in PEM. */
export interface TlsMaterial {
  /** The certificate and its issuers' certificates. */
  readonly cert: Buffer
  readonly key: Buffer
  /** The certificate of the CA for clients; `null`: there is none, so no client certificate is trusted. */
  readonly clientCa: Buffer | null
}

/** Whether a server asks its clients for a certificate, as configured. */
export type ClientCertificates = 'none' | 'request' | 'require'

/** The credentials of a server, which may be replaced while it runs. */
export interface TlsSource {
  readonly material: TlsMaterial
  readonly clients: ClientCertificates
  /** Calls back whenever the material was replaced. New handshakes use the new material. */
  onReplaced(listener: (material: TlsMaterial) => void): void
}

/** The TLS context of a server. RFC 9325 §3.1.1: at least TLS 1.2. */
export function contextOf({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  // A resumed session would reuse a certificate that was not verified again, and long-lived connections gain little from resumption.
  const secureOptions = constants.SSL_OP_NO_TICKET
  // The list may be empty. Without a list, the CAs that this machine trusts for servers would be trusted for clients.
  return { cert, key, ca: clientCa ?? [], minVersion: 'TLSv1.2', secureOptions }
}

/**
 * Whether a private key in PEM needs a passphrase, which QScope does not support: PKCS #8 (RFC 5958 §3), or the older form of
 * OpenSSL (RFC 1421 §4.6.1.1).
 */
export function isEncryptedKey(pem: Buffer): boolean {
  return pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED')
}

/** The error message for such a file. */
export function encryptedKeyProblem(path: string): string {
  return `${path} is an encrypted private key, and there is no passphrase to read it with; decrypt it: openssl pkey -in ${path} -out <file>`
}

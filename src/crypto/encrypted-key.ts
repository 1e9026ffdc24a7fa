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

import { createHash } from 'node:crypto'

/** `x5t#S256` of a certificate in DER (RFC 8705 §3.1): base64url of its SHA-256. */
export function certificateThumbprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('base64url')
}

import { X509Certificate } from 'node:crypto'

/** A caller's certificate as a proxy forwards it, and the certificates to verify it with. */
export interface ToldCertificate {
  readonly leaf: X509Certificate
  readonly chain: readonly X509Certificate[]
}

/** The content of a header, or the problem with it. The problem completes the sentence "the header …". */
export type ReadHeader = ToldCertificate | { readonly problem: string }

/** The maximum number of certificates accepted from a proxy. */
export const MOST_CERTIFICATES = 8

/** The certificate that these bytes encode, without bytes before or after it. `null`: they are not a certificate. */
export function certificateOf(der: Buffer): X509Certificate | null {
  try {
    const certificate = new X509Certificate(der)
    return certificate.raw.equals(der) ? certificate : null
  } catch {
    return null
  }
}

import { X509Certificate } from 'node:crypto'

/** The certificate of a caller as a proxy tells it, and what came with it to verify it. */
export interface ToldCertificate {
  readonly leaf: X509Certificate
  readonly chain: readonly X509Certificate[]
}

/** What a header says, or what is wrong with it: completes the sentence "the header …". */
export type ReadHeader = ToldCertificate | { readonly problem: string }

/** No proxy passes on more. */
export const MOST_CERTIFICATES = 8

/** The certificate that these bytes are, nothing before or after it; `null`: they are none. */
export function certificateOf(der: Buffer): X509Certificate | null {
  try {
    const certificate = new X509Certificate(der)
    return certificate.raw.equals(der) ? certificate : null
  } catch {
    return null
  }
}

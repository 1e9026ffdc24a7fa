import { X509Certificate } from 'node:crypto'

/** RFC 7468 §5. */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
const MOST = 50

/** Why a text is not one or more certificates in PEM and nothing else. `null`: it is. The text is not quoted. */
export function certificatesProblem(text: string): string | null {
  const certificates = text.match(CERTIFICATE) ?? []
  if (certificates.length === 0 || text.replaceAll(CERTIFICATE, '').trim() !== '') {
    return 'must be certificates in PEM, and nothing else'
  }
  if (certificates.length > MOST) return `must be at most ${MOST} certificates`
  const broken = certificates.findIndex((pem) => !isCertificate(pem))
  return broken === -1 ? null : `has a certificate that cannot be read: number ${broken + 1}`
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem)
    return true
  } catch {
    return false
  }
}

import type { Credentials } from '../auth/credentials.ts'

const SCHEME = /^([A-Za-z]+) +(\S+) *$/
/** RFC 6750 §2.1: b64token. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const MALFORMED: Credentials = Object.freeze({ kind: 'malformed' })

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads the value of `authorization`: `Basic` (RFC 6749 §2.3.1) or `Bearer` (RFC 6750 §2.1). */
export function parseAuthorization(value: string): Credentials {
  const [, scheme = '', parameter = ''] = SCHEME.exec(value) ?? []
  switch (scheme.toLowerCase()) {
    case 'basic':
      return parseBasic(parameter)
    case 'bearer':
      return BEARER.test(parameter) ? { kind: 'bearer', token: parameter } : MALFORMED
    default:
      return MALFORMED
  }
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined by a colon. */
function parseBasic(parameter: string): Credentials {
  if (!BASE64.test(parameter)) return MALFORMED
  try {
    const pair = utf8.decode(Buffer.from(parameter, 'base64'))
    const colon = pair.indexOf(':')
    if (colon < 1) return MALFORMED
    const clientId = formDecode(pair.slice(0, colon))
    const secret = formDecode(pair.slice(colon + 1))
    // Nobody's id holds it, and not every database can look for it.
    if (clientId.includes('\0')) return MALFORMED
    return { kind: 'client', clientId, proof: secret === '' ? { kind: 'none' } : { kind: 'secret', secret } }
  } catch {
    return MALFORMED
  }
}

/** @throws URIError for a broken percent sequence. */
function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** A bearer value or secret of this server: complete, mistyped or truncated. */
const OWN_SECRET = /q(?:at|rt|ac|dc|cs)_[0-9A-Za-z]{8}/
/** The start of a JWT's header and payload: `{"` in base64url. */
const JWT_PART = 'eyJ'
/** Shorter parts are not considered. */
const JWT_PART_LENGTH = 11
/** RFC 7468 §10, §11, and the variants that OpenSSL writes. */
const PRIVATE_KEY = 'PRIVATE KEY-----'
const DOT = 0x2e

/**
 * Whether a text that should not be secret contains a token or secret of this server, a JWT or a private key in PEM. It may
 * be anywhere in the text, such as a client id after somebody mixed up fields. Callers control these texts and their length,
 * so the time is linear in the length.
 */
export function holdsSecret(text: string): boolean {
  return OWN_SECRET.test(text) || holdsJwt(text) || text.includes(PRIVATE_KEY)
}

/**
 * Finds what `/eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./` finds, in one pass. The expression restarts at each `eyJ`, so its time is
 * quadratic in the length.
 */
function holdsJwt(text: string): boolean {
  const first = text.indexOf(JWT_PART)
  if (first < 0) return false
  let runStart = first
  // The start of a JWT part in the current run of characters. -1: none yet.
  let partStart = first
  let followsHeader = false
  for (let index = first; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (isPartCharacter(code)) {
      if (partStart < 0 && text.startsWith(JWT_PART, index)) partStart = index
      continue
    }
    const endsPart = code === DOT && partStart >= 0 && index - partStart >= JWT_PART_LENGTH
    if (endsPart && followsHeader && partStart === runStart) return true
    followsHeader = endsPart
    runStart = index + 1
    partStart = -1
  }
  return false
}

/** `[A-Za-z0-9_-]` */
function isPartCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x5f ||
    code === 0x2d
  )
}

const MASK = '[redacted]'

/** The problem of an identifier that contains a token or secret. The identifier is not quoted. */
export const HOLDS_SECRET =
  'contains a token or a secret, which must not be stored here: revoke it if it is still valid'

/**
 * Masks the words of free text that contain a token or a secret, so that the text can be stored, shown and audited. The time
 * is linear in the length of the text.
 */
export function withoutSecrets(text: string): string {
  if (!holdsSecret(text)) return text
  const masked = text
    .split(/(\s)/)
    .map((word) => (holdsSecret(word) ? MASK : word))
    .join('')
  // A secret may span words, such as a private key.
  return holdsSecret(masked) ? MASK : masked
}

/** A bearer value or secret of ours, whole or mistyped or cut short. */
const OWN_SECRET = /q(?:at|rt|ac|dc|cs)_[0-9A-Za-z]{8}/
/** How the header and the payload of a JWT begin: `{"` in base64url. */
const JWT_PART = 'eyJ'
/** The shortest part that counts. */
const JWT_PART_LENGTH = 11
/** RFC 7468 §10, §11 and what OpenSSL writes beside them. */
const PRIVATE_KEY = 'PRIVATE KEY-----'
const DOT = 0x2e

/**
 * Whether a text that is no secret by its place holds one all the same: a token
 * or secret of ours, a JWT or a private key in PEM. It may stand anywhere in the
 * text, such as a client id, if somebody mistook a field. Callers write such texts,
 * of any length, so that the time is bounded by a multiple of the length.
 */
export function holdsSecret(text: string): boolean {
  return OWN_SECRET.test(text) || holdsJwt(text) || text.includes(PRIVATE_KEY)
}

/**
 * What `/eyJ[\w-]{8,}\.eyJ[\w-]{8,}\./` finds, in one pass: that expression begins
 * anew at each `eyJ`, so its time grows with the square of the length.
 */
function holdsJwt(text: string): boolean {
  const first = text.indexOf(JWT_PART)
  if (first < 0) return false
  let runStart = first
  // Where a part of a JWT begins in the run of characters at hand; -1: nowhere yet.
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

/** What is said of an identifier that is, or holds, a token or secret; it is not quoted. */
export const HOLDS_SECRET = 'holds a token or a secret, which is not stored here: end it, if it is still good'

/**
 * Free text fit to be stored, shown and audited: words that hold a token or a
 * secret are masked. Takes time in proportion to the length of the text.
 */
export function withoutSecrets(text: string): string {
  if (!holdsSecret(text)) return text
  const masked = text
    .split(/(\s)/)
    .map((word) => (holdsSecret(word) ? MASK : word))
    .join('')
  // What is only a secret across words, such as a private key.
  return holdsSecret(masked) ? MASK : masked
}

import { holdsSecret } from './secret-text.ts'

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

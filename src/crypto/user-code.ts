import { randomBytes } from './random.ts'

/** RFC 8628 §6.1: only consonants, so that no words appear, and no letters that look alike. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Higher bytes are skipped, because they would make the first letters more likely. */
const UNBIASED = Math.floor(256 / LETTERS.length) * LETTERS.length
const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`, 'i')
/** Allows for a separator next to each letter. Longer texts are not parsed. */
const LONGEST_TYPED = 64
/**
 * The characters ignored in typed codes: white space, punctuation and symbols of any script, invisible characters, and
 * the prolonged sound mark that Japanese keyboards have in the place of a dash.
 */
const IGNORED = /[\s\p{P}\p{Z}\p{S}\p{Cf}\u30fc\uff70]/gu

/** Generates a user code of 34.5 bits in its stored form: eight letters. */
export function drawUserCode(): string {
  let code = ''
  while (code.length < LENGTH) {
    for (const byte of randomBytes(LENGTH)) {
      if (byte < UNBIASED && code.length < LENGTH) code += LETTERS.charAt(byte % LETTERS.length)
    }
  }
  return code
}

/** The displayed form: `BCDF-GHJK`. */
export function formatUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`
}

/**
 * RFC 8628 §6.1: parses a typed code, ignoring case, spaces and punctuation. `null`: it cannot be a user code. Only
 * ASCII letters count; other letters whose upper case is ASCII are rejected.
 */
export function readUserCode(typed: string): string | null {
  if (typed.length > LONGEST_TYPED) return null
  const code = typed.replaceAll(IGNORED, '')
  return CODE.test(code) ? code.toUpperCase() : null
}

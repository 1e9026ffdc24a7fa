import { randomBytes } from './random.ts'

/** RFC 8628 §6.1: consonants, so that no words come out; no letters that look alike. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Bytes beyond the last multiple of the alphabet would make its first letters likelier. */
const UNBIASED = Math.floor(256 / LETTERS.length) * LETTERS.length
const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`, 'i')
/** More than a code with something beside each of its letters; what is longer is not looked at. */
const LONGEST_TYPED = 64
/**
 * What a person may type beside the letters: white space, punctuation and symbols
 * of any script, characters that cannot be seen, and the prolonged sound mark
 * that Japanese keyboards have in the place of a dash.
 */
const IGNORED = /[\s\p{P}\p{Z}\p{S}\p{Cf}\u30fc\uff70]/gu

/** Draws a user code, 34.5 bits, as it is stored and compared: eight letters. */
export function drawUserCode(): string {
  let code = ''
  while (code.length < LENGTH) {
    for (const byte of randomBytes(LENGTH)) {
      if (byte < UNBIASED && code.length < LENGTH) code += LETTERS.charAt(byte % LETTERS.length)
    }
  }
  return code
}

/** As it is shown: `BCDF-GHJK`. */
export function formatUserCode(code: string): string {
  return `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`
}

/**
 * RFC 8628 §6.1: reads what a person typed; case, spaces and punctuation do not
 * matter. `null` if it cannot be a user code. Its letters are those of ASCII:
 * others that become them in upper case do not count.
 */
export function readUserCode(typed: string): string | null {
  if (typed.length > LONGEST_TYPED) return null
  const code = typed.replaceAll(IGNORED, '')
  return CODE.test(code) ? code.toUpperCase() : null
}

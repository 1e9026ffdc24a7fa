import { randomBytes } from './random.ts'

/** RFC 8628 §6.1: consonants, so that no words come out; no letters that look alike. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const LENGTH = 8
/** Bytes beyond the last multiple of the alphabet would make its first letters likelier. */
const UNBIASED = Math.floor(256 / LETTERS.length) * LETTERS.length
const CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`)

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

/** Reads what a person typed: case, spaces and dashes do not matter; `null` if it cannot be a user code. */
export function readUserCode(typed: string): string | null {
  const code = typed.toUpperCase().replaceAll(/[\s-]/g, '')
  return CODE.test(code) ? code : null
}

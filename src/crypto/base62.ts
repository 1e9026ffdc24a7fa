const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Five digits at a time: 62^5 < 2^30, so that a remainder and 16 more bits stay exact in a double. */
const CHUNK_DIGITS = 5
const CHUNK = 62 ** CHUNK_DIGITS

/** How many base62 digits hold `bytes` bytes. */
export function base62Length(bytes: number): number {
  return Math.ceil((bytes * 8) / Math.log2(62))
}

/** The big-endian number in `bytes` (an even count) in base62, padded with zeros to its full length. */
export function base62(bytes: Uint8Array): string {
  const limbs: number[] = []
  for (let i = 0; i < bytes.length; i += 2) limbs.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0))
  const length = base62Length(bytes.length)
  let digits = ''
  let first = 0
  while (digits.length < length) {
    let remainder = 0
    for (let i = first; i < limbs.length; i += 1) {
      const value = remainder * 65_536 + (limbs[i] ?? 0)
      limbs[i] = Math.floor(value / CHUNK)
      remainder = value % CHUNK
    }
    while (first < limbs.length && limbs[first] === 0) first += 1
    digits = base62Number(remainder, CHUNK_DIGITS) + digits
  }
  return digits.slice(-length)
}

/** A non-negative integer in base62 of exactly `length` digits. */
export function base62Number(value: number, length: number): string {
  let rest = value
  let digits = ''
  for (let i = 0; i < length; i += 1) {
    digits = ALPHABET.charAt(rest % 62) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

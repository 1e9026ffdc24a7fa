import { type CompactVerifyGetKey, compactVerify, errors } from 'jose'
import type { KeySet } from './key-set.ts'

/** RFC 7518 §3.3. */
const LEAST_RSA_BITS = 2_048

/**
 * Whether a JWT is signed by a key of the set, with that key's algorithm.
 *
 * @throws KeySetUnavailableError when the keys cannot be fetched.
 */
export async function isSigned(value: string, alg: string, keys: KeySet): Promise<boolean> {
  try {
    const find: CompactVerifyGetKey = async (header, token) => {
      const key = await keys({ ...header, alg }, token)
      if (!isLongEnough(key)) throw new errors.JWSSignatureVerificationFailed()
      return key
    }
    await compactVerify(value, find, { algorithms: [alg] })
    return true
  } catch (error) {
    // Everything that jose finds wrong with a token; keys that cannot be fetched are another error.
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}

function isLongEnough(key: Awaited<ReturnType<KeySet>>): boolean {
  if (!('algorithm' in key) || !('modulusLength' in key.algorithm)) return true
  return Number(key.algorithm.modulusLength) >= LEAST_RSA_BITS
}

import { createPublicKey, type KeyObject } from 'node:crypto'
import { isObject, jsonObject } from '../json-object.ts'
import { printable } from '../printable.ts'

/** The accepted algorithms of assertions. No symmetric ones, and never `none`. */
export const ASSERTION_ALGORITHMS = Object.freeze(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number]

/** A public key for exactly one algorithm, so that a token cannot choose another (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly kid: string | null
  readonly algorithm: AssertionAlgorithm
  readonly key: KeyObject
}

/** The content of a JWKS document (RFC 7517 §5), or all its problems. */
export type ReadKeySet =
  /** `leftOut`: the keys that are not used, with the reasons. */
  | { readonly ok: true; readonly keys: readonly VerificationKey[]; readonly leftOut: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] }

/** The limits of a document. A client has a few keys. An issuer may have further keys that are not usable here. */
export interface KeySetLimits {
  readonly maxBytes: number
  readonly maxKeys: number
  /**
   * Skips invalid keys instead of rejecting the document. Keys for other purposes, such as encryption, are always skipped.
   * Private keys are always rejected.
   */
  readonly skipBroken: boolean
  /** The purpose of the keys: signatures, which a key need not state (RFC 7517 §4.2), or JWT-SVIDs, which it must. */
  readonly use: 'sig' | 'jwt-svid'
}

export const CLIENT_KEYS: KeySetLimits = Object.freeze({
  maxBytes: 32_768,
  maxKeys: 10,
  skipBroken: false,
  use: 'sig',
})
export const ISSUER_KEYS: KeySetLimits = Object.freeze({
  maxBytes: 262_144,
  maxKeys: 100,
  skipBroken: true,
  use: 'sig',
})
/** SPIFFE Trust Domain and Bundle §4: the document is a key set that also contains the roots of X.509-SVIDs. */
export const SPIFFE_KEYS: KeySetLimits = Object.freeze({ ...ISSUER_KEYS, use: 'jwt-svid' })

const LEAST_RSA_BITS = 2_048
/** Verification with a larger key takes so long that it can serve an attack. */
const MOST_RSA_BITS = 8_192
/** The same holds for a larger public exponent. No key in use has one. */
const LARGEST_EXPONENT = 0xffff_ffffn
/** RFC 7518 §6: the private members of a key. `k` is a symmetric key. */
const PRIVATE_MEMBERS = Object.freeze(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])

/** Parses a key set. Never throws. */
export function readKeySet(text: string, limits: KeySetLimits): ReadKeySet {
  const listed = listOf(text, limits)
  if (typeof listed === 'string') return { ok: false, problems: [listed] }
  const problems: string[] = []
  const skipped: string[] = []
  const keys: VerificationKey[] = []
  for (const [index, jwk] of listed.entries()) {
    const read = readKey(jwk, limits.use)
    if (read.kind === 'usable') keys.push(read.key)
    else if (read.kind === 'secret') problems.push(`keys[${index}] ${SECRET}`)
    else if (read.kind === 'broken' && !limits.skipBroken) problems.push(`keys[${index}] ${read.problem}`)
    else skipped.push(`keys[${index}] ${read.problem}${namedBy(jwk)}`)
  }
  if (hasTwins(keys, limits)) problems.push('has two keys with the same kid')
  const leftOut = skipped.slice(0, MOST_TOLD)
  if (problems.length === 0 && keys.length === 0) problems.push('has no usable key', ...leftOut)
  return problems.length > 0 ? { ok: false, problems } : { ok: true, keys: Object.freeze(keys), leftOut }
}

/** Whether a `kid` is ambiguous. RFC 7517 §4.5 lets an issuer use one for keys of two algorithms. For a client it is a mistake. */
function hasTwins(keys: readonly VerificationKey[], { skipBroken }: KeySetLimits): boolean {
  const names = keys.flatMap(({ kid, algorithm }) => (kid === null ? [] : skipBroken ? `${algorithm} ${kid}` : kid))
  return new Set(names).size < names.length
}

const LONGEST_KID = 256

/** The name of a key in messages. */
function namedBy(jwk: unknown): string {
  const kid = isObject(jwk) ? jwk['kid'] : undefined
  return isKid(kid) ? `: kid ${JSON.stringify(printable(kid))}` : ''
}

function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && kid !== '' && kid.length <= LONGEST_KID
}

function listOf(text: string, { maxBytes, maxKeys }: KeySetLimits): readonly unknown[] | string {
  if (Buffer.byteLength(text) > maxBytes) return `is larger than ${maxBytes / 1_024} KiB`
  // RFC 7517 §4: parsers disagree about duplicate members, such as a second list of keys.
  const keys = jsonObject(Buffer.from(text))?.['keys']
  if (!Array.isArray(keys)) return 'is not a JSON Web Key Set: it must be {"keys": […]}, with each member once'
  return keys.length > maxKeys ? `has more than ${maxKeys} keys` : keys
}

/** The number of skipped keys that are reported. */
const MOST_TOLD = 10
const SECRET = 'is a secret or private key and is now exposed: replace it, and send public keys only'

type ReadKey =
  | { readonly kind: 'usable'; readonly key: VerificationKey }
  /** A private or symmetric key. */
  | { readonly kind: 'secret' }
  /** A key for another purpose than signatures, or for an algorithm that is not supported (RFC 7517 §5). */
  | { readonly kind: 'foreign'; readonly problem: string }
  | { readonly kind: 'broken'; readonly problem: string }

const foreign = (problem: string): ReadKey => ({ kind: 'foreign', problem })
const broken = (problem: string): ReadKey => ({ kind: 'broken', problem })

/** Returns the key, or its problem. */
function readKey(jwk: unknown, wanted: KeySetLimits['use']): ReadKey {
  if (!isObject(jwk)) return broken('is not an object')
  if (jwk['kty'] === 'oct' || PRIVATE_MEMBERS.some((name) => name in jwk)) return { kind: 'secret' }
  const { kid, use, key_ops: operations } = jwk
  if (wanted === 'jwt-svid' && use !== wanted) return foreign('is not a JWT-SVID key (use)')
  if (wanted === 'sig' && use !== undefined && use !== wanted) return foreign('is not a signature key (use)')
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return foreign('does not allow verify (key_ops)')
  }
  const algorithm = algorithmOf(jwk)
  if (algorithm === null) return foreign(`does not fit any of ${ASSERTION_ALGORITHMS.join(', ')}`)
  // SPIFFE Trust Domain and Bundle §4.2.2: a key for JWT-SVIDs must have a `kid`.
  if (kid === undefined ? wanted === 'jwt-svid' : !isKid(kid))
    return broken('has an invalid kid: it must be a string of 1 to 256 characters')
  const key = publicKeyOf(jwk)
  if (key === null) return broken('is not a valid key')
  const { modulusLength: bits, publicExponent } = key.asymmetricKeyDetails ?? {}
  if (publicExponent !== undefined && !isUsableExponent(publicExponent)) return broken('is not a valid key')
  if (bits !== undefined && (bits < LEAST_RSA_BITS || bits > MOST_RSA_BITS)) {
    return broken(`is RSA of ${bits} bits, not of ${LEAST_RSA_BITS} to ${MOST_RSA_BITS}`)
  }
  return { kind: 'usable', key: Object.freeze({ kid: isKid(kid) ? kid : null, algorithm, key }) }
}

function isUsableExponent(exponent: bigint): boolean {
  return exponent >= 3n && exponent <= LARGEST_EXPONENT && exponent % 2n === 1n
}

/** The algorithm for the type of a key. The key's `alg` can only select among those of the type. */
function algorithmOf({ kty, crv, alg }: Readonly<Record<string, unknown>>): AssertionAlgorithm | null {
  const fitting: readonly AssertionAlgorithm[] =
    kty === 'RSA'
      ? ['RS256', 'PS256']
      : kty === 'EC' && crv === 'P-256'
        ? ['ES256']
        : kty === 'OKP' && crv === 'Ed25519'
          ? ['EdDSA']
          : []
  const [usual = null] = fitting
  return alg === undefined ? usual : (fitting.find((each) => each === alg) ?? null)
}

function publicKeyOf(jwk: Readonly<Record<string, unknown>>): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return null
  }
}

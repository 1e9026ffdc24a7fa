import { createPublicKey, type KeyObject } from 'node:crypto'
import { isObject, jsonObject } from '../json-object.ts'
import { printable } from '../printable.ts'

/** What assertions may be signed with; nothing symmetric, and never `none`. */
export const ASSERTION_ALGORITHMS = Object.freeze(['RS256', 'PS256', 'ES256', 'EdDSA'] as const)
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number]

/** A public key that verifies one algorithm, so that nobody can choose another for it (RFC 8725 §3.1). */
export interface VerificationKey {
  readonly kid: string | null
  readonly algorithm: AssertionAlgorithm
  readonly key: KeyObject
}

/** What a JWKS document (RFC 7517 §5) holds, or everything that is wrong with it. */
export type ReadKeySet =
  /** `leftOut`: keys that are not used, and why. */
  | { readonly ok: true; readonly keys: readonly VerificationKey[]; readonly leftOut: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] }

/** What a document may hold: a client's is a few keys, an issuer's may have some that are of no use here. */
export interface KeySetLimits {
  readonly maxBytes: number
  readonly maxKeys: number
  /**
   * Leaves out keys that are broken, rather than refusing all. Keys for something
   * else, such as encryption, are left out always; private ones are refused always.
   */
  readonly skipBroken: boolean
  /** What the keys are for: signatures, which they need not say (RFC 7517 §4.2), or JWT-SVIDs, which they must. */
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
/** SPIFFE Trust Domain and Bundle §4: the document is a key set, which has the roots of X.509-SVIDs too. */
export const SPIFFE_KEYS: KeySetLimits = Object.freeze({ ...ISSUER_KEYS, use: 'jwt-svid' })

const LEAST_RSA_BITS = 2_048
/** Beyond this a verification takes long enough to be an attack. */
const MOST_RSA_BITS = 8_192
/** So is a public exponent of more bits than any key in use has. */
const LARGEST_EXPONENT = 0xffff_ffffn
/** RFC 7518 §6: what only the owner of a key may have; `k` is a symmetric one. */
const PRIVATE_MEMBERS = Object.freeze(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])

/** Reads a key set. Never throws. */
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

/**
 * Whether a kid names two keys, so that it says not which. RFC 7517 §4.5 lets an issuer give
 * one to keys of two algorithms; a client that does so has made a mistake.
 */
function hasTwins(keys: readonly VerificationKey[], { skipBroken }: KeySetLimits): boolean {
  const names = keys.flatMap(({ kid, algorithm }) => (kid === null ? [] : skipBroken ? `${algorithm} ${kid}` : kid))
  return new Set(names).size < names.length
}

const LONGEST_KID = 256

/** For messages. */
function namedBy(jwk: unknown): string {
  const kid = isObject(jwk) ? jwk['kid'] : undefined
  return isKid(kid) ? `: kid ${JSON.stringify(printable(kid))}` : ''
}

function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && kid !== '' && kid.length <= LONGEST_KID
}

function listOf(text: string, { maxBytes, maxKeys }: KeySetLimits): readonly unknown[] | string {
  if (Buffer.byteLength(text) > maxBytes) return `is larger than ${maxBytes / 1_024} KiB`
  // RFC 7517 §4: of a member that comes twice, such as a second list of keys, parsers take different ones.
  const keys = jsonObject(Buffer.from(text))?.['keys']
  if (!Array.isArray(keys)) return 'is not a JSON Web Key Set: it must be {"keys": […]}, with each member once'
  return keys.length > maxKeys ? `has more than ${maxKeys} keys` : keys
}

/** Of the keys that were left out. */
const MOST_TOLD = 10
const SECRET = 'is a secret or private key and is now exposed: replace it, and send public keys only'

type ReadKey =
  | { readonly kind: 'usable'; readonly key: VerificationKey }
  /** It is nobody's but its owner's. */
  | { readonly kind: 'secret' }
  /** It is for something else than signatures, or for an algorithm that is not used here (RFC 7517 §5). */
  | { readonly kind: 'foreign'; readonly problem: string }
  | { readonly kind: 'broken'; readonly problem: string }

const foreign = (problem: string): ReadKey => ({ kind: 'foreign', problem })
const broken = (problem: string): ReadKey => ({ kind: 'broken', problem })

/** The key, or what is wrong with it. */
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
  // SPIFFE Trust Domain and Bundle §4.2.2: a key for JWT-SVIDs has one.
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

/** The algorithm that goes with the type of a key; its own `alg` may only choose among those. */
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

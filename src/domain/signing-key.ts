import { type EpochMs, epochMs, type KeyId, type Milliseconds, milliseconds, type SigningKeyId } from './ids.ts'

/** The JOSE algorithms (RFC 7518 §3.1, RFC 8037 §3.1) for signing access tokens. */
export const SIGNING_ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'RS256'] as const)
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/**
 * Prepared: in the key set, does not sign yet. Active: signs, at most one for each algorithm. Retired: verifies, does not
 * sign any more. Revoked: tokens that it signed are inactive.
 */
export const SIGNING_KEY_STATES = Object.freeze(['prepared', 'active', 'retired', 'revoked'] as const)
export type SigningKeyState = (typeof SIGNING_KEY_STATES)[number]

/** The public members of a JSON Web Key (RFC 7517 §4): `kty`, and `crv`, `x`, `y`, or `n`, `e`. */
export type PublicJwk = Readonly<Record<string, string>>

/** A stored private key: AES-256-GCM under a key that is not in the database. */
export interface SealedPrivateKey {
  /** The id of the encryption key in the keyring. */
  readonly keyId: KeyId
  readonly sealed: Buffer
}

/** A stored key that signs access tokens. */
export interface SigningKey {
  /** The `kid` of the tokens that it signs. Public. */
  readonly keyId: SigningKeyId
  readonly algorithm: SigningAlgorithm
  readonly publicJwk: PublicJwk
  /** `null` once it is retired or revoked, because it never signs again. */
  readonly privateKey: SealedPrivateKey | null
  readonly state: SigningKeyState
  /** The longest lifetime of the tokens that it signed. */
  readonly longestLifetime: Milliseconds
  readonly preparedAt: EpochMs
  readonly preparedBy: string
  readonly activatedAt: EpochMs | null
  readonly retiredAt: EpochMs | null
  readonly revokedAt: EpochMs | null
  /** When the last token that it signed expires. `null` until it is retired. */
  readonly tokensUntil: EpochMs | null
  readonly rayId: string
}

/** How long verifiers may cache the key set. */
export const KEY_SET_MAX_AGE: Milliseconds = milliseconds(300_000)

/** Allows for clock differences, and for calls in progress when a key is retired. */
export const RETIREMENT_MARGIN: Milliseconds = milliseconds(60_000)

/** When every cache of the key set includes a prepared key, so that it may sign. */
export function earliestActivation({ preparedAt }: Pick<SigningKey, 'preparedAt'>): EpochMs {
  return epochMs(preparedAt + KEY_SET_MAX_AGE)
}

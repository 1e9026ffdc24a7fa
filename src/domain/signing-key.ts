import { type EpochMs, epochMs, type KeyId, type Milliseconds, milliseconds, type SigningKeyId } from './ids.ts'

/** JOSE algorithms (RFC 7518 §3.1, RFC 8037 §3.1) that access tokens are signed with. */
export const SIGNING_ALGORITHMS = Object.freeze(['ES256', 'EdDSA', 'RS256'] as const)
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/**
 * Prepared: in the key set, not signing yet. Active: signs; at most one of an
 * algorithm. Retired: verifies, signs no more. Revoked: what it signed is inactive.
 */
export const SIGNING_KEY_STATES = Object.freeze(['prepared', 'active', 'retired', 'revoked'] as const)
export type SigningKeyState = (typeof SIGNING_KEY_STATES)[number]

/** The public members of a JSON Web Key (RFC 7517 §4): `kty`, and `crv`, `x`, `y`, or `n`, `e`. */
export type PublicJwk = Readonly<Record<string, string>>

/** A private key as it is stored: AES-256-GCM under a key from outside the database. */
export interface SealedPrivateKey {
  /** Names the key of the keyring. */
  readonly keyId: KeyId
  readonly sealed: Buffer
}

/** A key that signs access tokens, as it is stored. */
export interface SigningKey {
  /** The `kid` of what it signs; public. */
  readonly keyId: SigningKeyId
  readonly algorithm: SigningAlgorithm
  readonly publicJwk: PublicJwk
  /** `null` from when it is retired or revoked: nothing is signed with it again. */
  readonly privateKey: SealedPrivateKey | null
  readonly state: SigningKeyState
  /** No token that it signed lives longer. */
  readonly longestLifetime: Milliseconds
  readonly preparedAt: EpochMs
  readonly preparedBy: string
  readonly activatedAt: EpochMs | null
  readonly retiredAt: EpochMs | null
  readonly revokedAt: EpochMs | null
  /** When the last token that it signed has expired; `null` until it is retired. */
  readonly tokensUntil: EpochMs | null
  readonly rayId: string
}

/** How long others may keep the key set before they ask again. */
export const KEY_SET_MAX_AGE: Milliseconds = milliseconds(300_000)

/** For clocks that differ, and for calls that are under way when a key is retired. */
export const RETIREMENT_MARGIN: Milliseconds = milliseconds(60_000)

/** When everybody who keeps the key set has a key that was prepared, and it may sign. */
export function earliestActivation({ preparedAt }: Pick<SigningKey, 'preparedAt'>): EpochMs {
  return epochMs(preparedAt + KEY_SET_MAX_AGE)
}

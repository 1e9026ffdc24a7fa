import type { ClientId, EpochMs, KeyId, SecretHash, SecretId } from './ids.ts'

/** One of a client's secrets; several may be valid at once. */
export interface ClientSecret {
  readonly secretId: SecretId
  readonly clientId: ClientId
  /** The pepper it was hashed under. */
  readonly keyId: KeyId
  readonly hash: SecretHash
  readonly createdAt: EpochMs
  readonly createdBy: string
  /** `null` while it is the current one. */
  readonly expiresAt: EpochMs | null
  /** To the minute; `null` if never. */
  readonly lastUsedAt: EpochMs | null
}

export function isSecretValid(secret: ClientSecret, now: EpochMs): boolean {
  return secret.expiresAt === null || now < secret.expiresAt
}

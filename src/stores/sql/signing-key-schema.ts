import type { Int, NullableBytes, NullableInt } from './core/columns.ts'

export interface SigningKeyTable {
  key_id: string
  algorithm: string
  /** JSON object. */
  public_jwk: string
  /** Nonce, ciphertext and tag; null once it signs no more, as is the key it is encrypted under. */
  private_key: NullableBytes
  encryption_key_id: string | null
  state: string
  /** The algorithm while it is active, else null. */
  active_algorithm: string | null
  longest_lifetime: Int
  prepared_at: Int
  activated_at: NullableInt
  retired_at: NullableInt
  revoked_at: NullableInt
  revocation_reason: string | null
  tokens_until: NullableInt
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

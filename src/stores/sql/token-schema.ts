import type { Hash, Int, NullableBytes, NullableHash, NullableInt } from './core/columns.ts'

export interface GrantTable {
  grant_id: string
  client_id: string
  user_id: string
  /** Delimited by spaces. */
  scopes: string
  /** JSON list. */
  audiences: string
  client_generation: Int
  user_generation: Int
  expires_at: Int
  tokens_until: Int
  revoked_at: NullableInt
  revocation_reason: string | null
  /** Counted up to take the row; means nothing else. */
  lock_version: Int
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

export interface AuthorizationCodeTable {
  code_id: string
  code_hash: Hash
  grant_id: string
  redirect_uri: string
  code_challenge: string | null
  expires_at: Int
  consumed_at: NullableInt
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

export interface RefreshTokenTable {
  token_id: string
  token_hash: Hash
  grant_id: string
  client_id: string
  user_id: string
  predecessor_id: string | null
  issued_at: Int
  expires_at: Int
  consumed_at: NullableInt
  successor_id: string | null
  replay_answer: NullableBytes
  replay_until: NullableInt
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

export interface AccessTokenTable {
  token_id: string
  token_hash: Hash
  client_id: string
  subject: string
  user_id: string | null
  grant_id: string | null
  /** Delimited by spaces. */
  scopes: string
  /** JSON list. */
  audiences: string
  client_generation: Int
  user_generation: NullableInt
  /** JSON list. */
  actors: string
  /** JSON list. */
  ancestors: string
  signing_key_id: string | null
  /** Of the certificate it is bound to. */
  certificate_hash: NullableHash
  issued_at: Int
  expires_at: Int
  revoked_at: NullableInt
  revocation_reason: string | null
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

export interface DeviceCodeTable {
  device_authorization_id: string
  device_code_hash: Hash
  user_code_hash: Hash
  /** The same until it is decided, then null. */
  live_user_code_hash: NullableHash
  user_code_key_id: string
  client_id: string
  /** Delimited by spaces. */
  scopes: string
  /** JSON list. */
  audiences: string
  client_generation: Int
  decision: string
  /** Counted up to take the row; means nothing else. */
  lock_version: Int
  poll_interval: Int
  last_polled_at: NullableInt
  grant_id: string | null
  expires_at: Int
  ray_id: string
  created_at: Int
  created_by: string
  updated_at: NullableInt
  updated_by: string | null
}

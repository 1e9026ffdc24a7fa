import type { Hash, Int, NullableInt } from './core/columns.ts'
import type { SigningKeyTable } from './signing-key-schema.ts'
import type {
  AccessTokenTable,
  AuthorizationCodeTable,
  DeviceCodeTable,
  GrantTable,
  RefreshTokenTable,
} from './token-schema.ts'

export interface ClientTable {
  client_id: string
  display_name: string
  type: string
  authentication_method: string
  /** JSON document. */
  jwks: string | null
  tls_client_subject: string | null
  /** JSON list. */
  grant_types: string
  /** JSON list. */
  redirect_uris: string
  /** Delimited by spaces. */
  scopes: string
  /** JSON list. */
  audiences: string
  enabled: Int
  version: Int
  token_generation: Int
  /** Counted up to take the row; means nothing else. */
  lock_version: Int
  deleted_at: NullableInt
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

export interface ClientConfigTable {
  client_id: string
  access_token_ttl: Int
  refresh_token_ttl: Int
  refresh_token_max_lifetime: Int
  authorization_code_ttl: Int
  device_code_ttl: Int
  device_poll_interval: Int
  require_pkce: Int
  access_token_format: string
  max_active_refresh_tokens: NullableInt
  max_active_refresh_tokens_per_user: NullableInt
  max_active_access_tokens: NullableInt
  refresh_token_replay_window: Int
  allow_impersonation: Int
  /** JSON object. */
  metadata: string
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

/** Each client's own id and its resource audiences: the primary key decides who answers for a name. */
export interface ClientResourceAudienceTable {
  audience: string
  client_id: string
  created_at: Int
  created_by: string
}

export interface ClientSecretTable {
  secret_id: string
  client_id: string
  key_id: string
  secret_hash: Hash
  expires_at: NullableInt
  last_used_at: NullableInt
  created_at: Int
  created_by: string
}

/** Deleted ones keep their row, without the external id. */
export interface UserTable {
  user_id: string
  external_id: string | null
  active: Int
  token_generation: Int
  deleted_at: NullableInt
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

/** Assertions that may be used once, and were. */
export interface AssertionIdTable {
  assertion_hash: Hash
  use_id: string
  expires_at: Int
  created_at: Int
  created_by: string
}

/** Who does what one instance at a time does. */
export interface LeaseTable {
  name: string
  holder: string
  expires_at: Int
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

export interface AuditLogTable {
  event_id: string
  writer_id: string
  sequence: Int
  previous_hash: Hash
  hash: Hash
  key_id: string
  event_type: string
  ray_id: string
  client_id: string | null
  user_id: string | null
  token_id: string | null
  grant_id: string | null
  actor: string
  /** JSON object. */
  metadata: string
  created_at: Int
  created_by: string
}

/** Where each writer's chain ends, so that a cut end shows. */
export interface AuditHeadTable {
  writer_id: string
  /** Which writer it is; from 1, without gaps. */
  ordinal: Int
  sequence: Int
  hash: Hash
  key_id: string
  /** Over the columns above. */
  mac: Hash
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

/** One row: how many writers there have been, so that a missing one shows. */
export interface AuditRosterTable {
  name: string
  writers: Int
  total: Hash
  created_at: Int
  created_by: string
  updated_at: Int
  updated_by: string
}

export interface MigrationTable {
  name: string
  applied_at: Int
}

/** One row, whose id is 1. */
export interface SchemaTable {
  id: Int
  servers_from: string | null
  audit_protection: string | null
  running_migration: string | null
  running_direction: string | null
  running_statement: NullableInt
  running_tried: NullableInt
  updated_at: Int
}

export interface Database {
  oauth_clients: ClientTable
  oauth_client_configs: ClientConfigTable
  oauth_client_resource_audiences: ClientResourceAudienceTable
  oauth_client_secrets: ClientSecretTable
  oauth_users: UserTable
  oauth_grants: GrantTable
  oauth_authorization_codes: AuthorizationCodeTable
  oauth_access_tokens: AccessTokenTable
  oauth_refresh_tokens: RefreshTokenTable
  oauth_device_codes: DeviceCodeTable
  oauth_assertion_ids: AssertionIdTable
  oauth_leases: LeaseTable
  oauth_signing_keys: SigningKeyTable
  oauth_audit_log: AuditLogTable
  oauth_audit_heads: AuditHeadTable
  oauth_audit_roster: AuditRosterTable
  qscope_migrations: MigrationTable
  qscope_schema: SchemaTable
}

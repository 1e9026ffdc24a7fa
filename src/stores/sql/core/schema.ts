import type { ColumnType } from 'kysely'

/** An integer as drivers return it. Validated in rows.ts. */
export type StoredInt = number | bigint | string

type Int = ColumnType<StoredInt, number, number>
type NullableInt = ColumnType<StoredInt | null, number | null, number | null>
/** 32 bytes. */
type Hash = ColumnType<Uint8Array, Uint8Array, Uint8Array>
type NullableHash = ColumnType<Uint8Array | null, Uint8Array | null, Uint8Array | null>
type NullableBytes = NullableHash

/** When a row was written, and by whom. */
interface Created {
  created_at: Int
  created_by: string
}

/** For rows that changes overwrite. The first change is the creation. */
interface Changed extends Created {
  updated_at: Int
  updated_by: string
}

/** For rows that usually never change. */
interface Changeable extends Created {
  updated_at: NullableInt
  updated_by: string | null
}

export interface ClientTable extends Changed {
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
  /** Incremented to lock the row. The value has no meaning. */
  lock_version: Int
  deleted_at: NullableInt
  owner: string | null
  jwks_uri: string | null
  /** JSON list. The table of identities enforces that each has one owner. */
  federated_identities: string | null
}

export interface ClientConfigTable extends Changed {
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
  allow_own_rotation: Int
  /** JSON object. */
  metadata: string
}

/** Each client's own id and its resource audiences. The primary key ensures that each name has one owner. */
export interface ClientResourceAudienceTable extends Created {
  audience: string
  client_id: string
}

/** Each name of a client at a trusted issuer. The primary key ensures that each name has one owner. */
export interface ClientFederatedIdentityTable extends Created {
  /** SHA-256 of issuer and subject. */
  identity_hash: Hash
  issuer: string
  client_id: string
}

export interface ClientSecretTable extends Created {
  secret_id: string
  client_id: string
  key_id: string
  secret_hash: Hash
  expires_at: NullableInt
  last_used_at: NullableInt
  /** The hash of another server. `secret_hash` is then random and matches nothing. */
  imported_hash: string | null
  made_by: string | null
}

/** Deleted users keep their row, without the external id. */
export interface UserTable extends Changed {
  user_id: string
  external_id: string | null
  active: Int
  token_generation: Int
  deleted_at: NullableInt
  owner: string | null
}

export interface GrantTable extends Changeable {
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
  /** Incremented to lock the row. The value has no meaning. */
  lock_version: Int
  ray_id: string
}

export interface AuthorizationCodeTable extends Changeable {
  code_id: string
  code_hash: Hash
  grant_id: string
  redirect_uri: string
  code_challenge: string | null
  expires_at: Int
  consumed_at: NullableInt
  ray_id: string
}

export interface RefreshTokenTable extends Changeable {
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
}

export interface AccessTokenTable extends Changeable {
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
  /** The hash of the certificate to which the token is bound. */
  certificate_hash: NullableHash
  /** JSON object. Null: no additional claims. */
  extra_claims: string | null
  issued_at: Int
  expires_at: Int
  revoked_at: NullableInt
  revocation_reason: string | null
  ray_id: string
}

export interface DeviceCodeTable extends Changeable {
  device_authorization_id: string
  device_code_hash: Hash
  user_code_hash: Hash
  /** The same until the decision, then null. */
  live_user_code_hash: NullableHash
  user_code_key_id: string
  client_id: string
  /** Delimited by spaces. */
  scopes: string
  /** JSON list. */
  audiences: string
  client_generation: Int
  decision: string
  /** Incremented to lock the row. The value has no meaning. */
  lock_version: Int
  poll_interval: Int
  last_polled_at: NullableInt
  grant_id: string | null
  expires_at: Int
  ray_id: string
}

export interface SigningKeyTable extends Changeable {
  key_id: string
  algorithm: string
  /** JSON object. */
  public_jwk: string
  /** Nonce, ciphertext and tag. Null once the key no longer signs. The same holds for the id of its encryption key. */
  private_key: NullableBytes
  encryption_key_id: string | null
  state: string
  /** The algorithm while the key is active. Otherwise null. */
  active_algorithm: string | null
  longest_lifetime: Int
  prepared_at: Int
  activated_at: NullableInt
  retired_at: NullableInt
  revoked_at: NullableInt
  revocation_reason: string | null
  tokens_until: NullableInt
  ray_id: string
}

/** Single-use assertions that were used. */
export interface AssertionIdTable extends Created {
  assertion_hash: Hash
  use_id: string
  expires_at: Int
}

/** The holders of jobs that one instance does at a time. */
export interface LeaseTable extends Changed {
  name: string
  holder: string
  expires_at: Int
}

export interface AuditLogTable extends Created {
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
}

/** The end of each writer's chain, which makes truncation detectable. */
export interface AuditHeadTable extends Changed {
  writer_id: string
  /** The number of the writer, from 1, without gaps. */
  ordinal: Int
  sequence: Int
  hash: Hash
  key_id: string
  /** Over the columns above. */
  mac: Hash
}

/** One row: the number of writers so far, which makes a missing one detectable. */
export interface AuditRosterTable extends Changed {
  name: string
  writers: Int
  total: Hash
}

/** The last revocation of each writer. */
export interface RevocationHeadTable {
  /** The ordinal of the writer's chain in the audit log. */
  writer: Int
  sequence: Int
  created_at: Int
  updated_at: Int
}

/** Facts that ended early, for verifiers that cache results. */
export interface RevocationTable {
  writer: Int
  /** The place among the writer's revocations. */
  sequence: Int
  /** 16 bytes. */
  key: Hash
  forget_time: Int
}

/** The keys of the keyring that derive revocation keys. */
export interface RevocationKeyTable {
  key_id: string
  /** When a token was last issued under it, to about a minute. */
  used_at: Int
  created_at: Int
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

/** The positions of followers of the audit log. */
export interface AuditFollowerTable {
  name: string
  /** The text of `positionText`. */
  position: string
  /** Increases by one with each move. */
  version: Int
  created_at: Int
  updated_at: Int
}

/** Counts derived from the audit log. */
export interface ScopeUsageTable {
  /** SHA-256 of day, client id and scope. */
  usage_hash: Hash
  day: Int
  client_id: string
  scope: string
  asked: Int
  granted: Int
  forget_at: Int
  created_at: Int
  updated_at: Int
}

export interface TrustedIssuerTable extends Changed {
  issuer: string
  /** Changes with every update. */
  revision: string
  display_name: string
  kind: string
  trust_domain: string | null
  /** Selects which of the next columns has a value. */
  key_location: string
  /** JSON document. */
  jwks: string | null
  jwks_uri: string | null
  /** PEM. */
  ca_certificates: string | null
  audience: string | null
  single_use: Int
  max_lifetime: Int
  /** JSON list. */
  rules: string
  owner: string | null
}

export interface Database {
  oauth_clients: ClientTable
  oauth_client_configs: ClientConfigTable
  oauth_client_resource_audiences: ClientResourceAudienceTable
  oauth_client_federated_identities: ClientFederatedIdentityTable
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
  oauth_audit_followers: AuditFollowerTable
  oauth_scope_usage: ScopeUsageTable
  oauth_trusted_issuers: TrustedIssuerTable
  oauth_revocation_heads: RevocationHeadTable
  oauth_revocations: RevocationTable
  oauth_revocation_keys: RevocationKeyTable
  qscope_migrations: MigrationTable
  qscope_schema: SchemaTable
}

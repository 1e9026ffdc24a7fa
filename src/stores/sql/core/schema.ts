import type { ColumnType } from 'kysely'

/** An integer as drivers give it: parsed in rows.ts before it is believed. */
export type StoredInt = number | bigint | string

type Int = ColumnType<StoredInt, number, number>
type NullableInt = ColumnType<StoredInt | null, number | null, number | null>
/** 32 bytes. */
type Hash = ColumnType<Uint8Array, Uint8Array, Uint8Array>
type NullableHash = ColumnType<Uint8Array | null, Uint8Array | null, Uint8Array | null>
type NullableBytes = NullableHash

/** When and by whom a row was written. */
interface Created {
  created_at: Int
  created_by: string
}

/** The same of rows that changes are written over; the first change is their creation. */
interface Changed extends Created {
  updated_at: Int
  updated_by: string
}

/** The same of rows that are usually never changed. */
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
  /** Counted up to take the row; means nothing else. */
  lock_version: Int
  deleted_at: NullableInt
  owner: string | null
  jwks_uri: string | null
  /** JSON list; the table of identities decides whose each is. */
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

/** Each client's own id and its resource audiences: the primary key decides who answers for a name. */
export interface ClientResourceAudienceTable extends Created {
  audience: string
  client_id: string
}

/** Each name of a client with a trusted issuer: the primary key decides whose it is. */
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
  /** Where another server hashed the secret; `secret_hash` is then drawn at random, and matches nothing. */
  imported_hash: string | null
  made_by: string | null
}

/** Deleted ones keep their row, without the external id. */
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
  /** Counted up to take the row; means nothing else. */
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
  /** Of the certificate it is bound to. */
  certificate_hash: NullableHash
  /** JSON object; null: there are none. */
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
}

export interface SigningKeyTable extends Changeable {
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
}

/** Assertions that may be used once, and were. */
export interface AssertionIdTable extends Created {
  assertion_hash: Hash
  use_id: string
  expires_at: Int
}

/** Who does what one instance at a time does. */
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

/** Where each writer's chain ends, so that a cut end shows. */
export interface AuditHeadTable extends Changed {
  writer_id: string
  /** Which writer it is; from 1, without gaps. */
  ordinal: Int
  sequence: Int
  hash: Hash
  key_id: string
  /** Over the columns above. */
  mac: Hash
}

/** One row: how many writers there have been, so that a missing one shows. */
export interface AuditRosterTable extends Changed {
  name: string
  writers: Int
  total: Hash
}

/** How far each writer of revocations has come. */
export interface RevocationHeadTable {
  /** The ordinal of the writer's chain in the audit log. */
  writer: Int
  sequence: Int
  created_at: Int
  updated_at: Int
}

/** What was ended early, for those who keep what they verified. */
export interface RevocationTable {
  writer: Int
  /** The place among those of the writer. */
  sequence: Int
  /** 16 bytes. */
  key: Hash
  forget_time: Int
}

/** The keys of the keyring that make revocation keys. */
export interface RevocationKeyTable {
  key_id: string
  /** When tokens were issued under it last, give or take a minute. */
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

/** Where those who follow the audit log go on. */
export interface AuditFollowerTable {
  name: string
  /** As `positionText` writes it. */
  position: string
  /** Grows by one with each move. */
  version: Int
  created_at: Int
  updated_at: Int
}

/** Counted from the audit log. */
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
  /** Another one after each change. */
  revision: string
  display_name: string
  kind: string
  trust_domain: string | null
  /** Which of the next columns has a value. */
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

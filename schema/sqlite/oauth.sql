-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.
-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.

create table qscope_migrations (
  name text not null primary key,
  applied_at integer not null
) strict;

create table qscope_schema (
  id integer not null primary key,
  servers_from text,
  audit_protection text,
  running_migration text,
  running_direction text,
  running_statement integer,
  running_tried integer,
  updated_at integer not null
) strict;

create table oauth_clients (
  client_id text not null primary key,
  display_name text not null,
  type text not null,
  authentication_method text not null,
  jwks text,
  tls_client_subject text,
  grant_types text not null,
  redirect_uris text not null,
  scopes text not null,
  audiences text not null,
  enabled integer not null,
  version integer not null,
  token_generation integer not null,
  lock_version integer not null,
  deleted_at integer,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

create table oauth_client_configs (
  client_id text not null primary key,
  access_token_ttl integer not null,
  refresh_token_ttl integer not null,
  refresh_token_max_lifetime integer not null,
  authorization_code_ttl integer not null,
  device_code_ttl integer not null,
  device_poll_interval integer not null,
  require_pkce integer not null,
  access_token_format text not null,
  max_active_refresh_tokens integer,
  max_active_refresh_tokens_per_user integer,
  max_active_access_tokens integer,
  refresh_token_replay_window integer not null,
  allow_impersonation integer not null,
  metadata text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null,
  constraint oauth_client_configs_client foreign key (client_id) references oauth_clients (client_id)
) strict;

create table oauth_client_resource_audiences (
  audience text not null primary key,
  client_id text not null,
  created_at integer not null,
  created_by text not null,
  constraint oauth_client_resource_audiences_client foreign key (client_id) references oauth_clients (client_id)
) strict;

create index oauth_client_resource_audiences_by_client on oauth_client_resource_audiences (client_id);

create table oauth_client_secrets (
  secret_id text not null primary key,
  client_id text not null,
  key_id text not null,
  secret_hash blob not null,
  expires_at integer,
  last_used_at integer,
  created_at integer not null,
  created_by text not null,
  constraint oauth_client_secrets_client foreign key (client_id) references oauth_clients (client_id)
) strict;

create index oauth_client_secrets_by_client on oauth_client_secrets (client_id);

create table oauth_users (
  user_id text not null primary key,
  external_id text,
  active integer not null,
  token_generation integer not null,
  deleted_at integer,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

create unique index oauth_users_by_external_id on oauth_users (external_id);

create table oauth_grants (
  grant_id text not null primary key,
  client_id text not null,
  user_id text not null,
  scopes text not null,
  audiences text not null,
  client_generation integer not null,
  user_generation integer not null,
  expires_at integer not null,
  tokens_until integer not null,
  revoked_at integer,
  revocation_reason text,
  lock_version integer not null,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_grants_client foreign key (client_id) references oauth_clients (client_id),
  constraint oauth_grants_user foreign key (user_id) references oauth_users (user_id)
) strict;

create index oauth_grants_by_client on oauth_grants (client_id);

create index oauth_grants_by_user on oauth_grants (user_id);

create index oauth_grants_by_end on oauth_grants (tokens_until);

create table oauth_authorization_codes (
  code_id text not null primary key,
  code_hash blob not null,
  grant_id text not null,
  redirect_uri text not null,
  code_challenge text,
  expires_at integer not null,
  consumed_at integer,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_authorization_codes_grant foreign key (grant_id) references oauth_grants (grant_id)
) strict;

create unique index oauth_authorization_codes_by_hash on oauth_authorization_codes (code_hash);

create index oauth_authorization_codes_by_grant on oauth_authorization_codes (grant_id);

create table oauth_refresh_tokens (
  token_id text not null primary key,
  token_hash blob not null,
  grant_id text not null,
  client_id text not null,
  user_id text not null,
  predecessor_id text,
  issued_at integer not null,
  expires_at integer not null,
  consumed_at integer,
  successor_id text,
  replay_answer blob,
  replay_until integer,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_refresh_tokens_grant foreign key (grant_id) references oauth_grants (grant_id)
) strict;

create unique index oauth_refresh_tokens_by_hash on oauth_refresh_tokens (token_hash);

create index oauth_refresh_tokens_by_grant on oauth_refresh_tokens (grant_id);

create index oauth_refresh_tokens_by_client on oauth_refresh_tokens (client_id, token_id);

create index oauth_refresh_tokens_by_user on oauth_refresh_tokens (user_id, token_id);

create index oauth_refresh_tokens_by_spending on oauth_refresh_tokens (client_id, consumed_at, user_id);

create index oauth_refresh_tokens_by_replay on oauth_refresh_tokens (replay_until) where replay_until is not null;

create table oauth_access_tokens (
  token_id text not null primary key,
  token_hash blob not null,
  client_id text not null,
  subject text not null,
  user_id text,
  grant_id text,
  scopes text not null,
  audiences text not null,
  client_generation integer not null,
  user_generation integer,
  actors text not null,
  ancestors text not null,
  signing_key_id text,
  certificate_hash blob,
  issued_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  revocation_reason text,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_access_tokens_client foreign key (client_id) references oauth_clients (client_id),
  constraint oauth_access_tokens_user foreign key (user_id) references oauth_users (user_id)
) strict;

create unique index oauth_access_tokens_by_hash on oauth_access_tokens (token_hash);

create index oauth_access_tokens_by_client on oauth_access_tokens (client_id, token_id);

create index oauth_access_tokens_by_user on oauth_access_tokens (user_id, token_id) where user_id is not null;

create index oauth_access_tokens_by_grant on oauth_access_tokens (grant_id) where grant_id is not null;

create index oauth_access_tokens_by_expiry on oauth_access_tokens (expires_at);

create table oauth_device_codes (
  device_authorization_id text not null primary key,
  device_code_hash blob not null,
  user_code_hash blob not null,
  live_user_code_hash blob,
  user_code_key_id text not null,
  client_id text not null,
  scopes text not null,
  audiences text not null,
  client_generation integer not null,
  decision text not null,
  poll_interval integer not null,
  lock_version integer not null,
  last_polled_at integer,
  grant_id text,
  expires_at integer not null,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_device_codes_client foreign key (client_id) references oauth_clients (client_id)
) strict;

create unique index oauth_device_codes_by_device_code on oauth_device_codes (device_code_hash);

create index oauth_device_codes_by_user_code on oauth_device_codes (user_code_hash);

create unique index oauth_device_codes_by_live_user_code on oauth_device_codes (live_user_code_hash);

create index oauth_device_codes_by_client on oauth_device_codes (client_id, expires_at);

create index oauth_device_codes_by_expiry on oauth_device_codes (expires_at);

create table oauth_leases (
  name text not null primary key,
  holder text not null,
  expires_at integer not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

create table oauth_signing_keys (
  key_id text not null primary key,
  algorithm text not null,
  public_jwk text not null,
  private_key blob,
  encryption_key_id text,
  state text not null,
  active_algorithm text,
  longest_lifetime integer not null,
  prepared_at integer not null,
  activated_at integer,
  retired_at integer,
  revoked_at integer,
  revocation_reason text,
  tokens_until integer,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text
) strict;

create unique index oauth_signing_keys_by_active_algorithm on oauth_signing_keys (active_algorithm);

create index oauth_signing_keys_by_state on oauth_signing_keys (state, tokens_until);

create table oauth_assertion_ids (
  assertion_hash blob not null primary key,
  use_id text not null,
  expires_at integer not null,
  created_at integer not null,
  created_by text not null
) strict;

create index oauth_assertion_ids_by_expiry on oauth_assertion_ids (expires_at);

create table oauth_revocation_heads (
  writer integer not null primary key,
  sequence integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;

create table oauth_revocations (
  writer integer not null,
  sequence integer not null,
  key blob not null,
  forget_time integer not null,
  constraint oauth_revocations_pk primary key (writer, sequence)
) strict;

create index oauth_revocations_by_forget_time on oauth_revocations (forget_time);

create table oauth_revocation_keys (
  key_id text not null primary key,
  used_at integer not null,
  created_at integer not null
) strict;

alter table oauth_client_configs add column allow_own_rotation integer default 0 not null;

alter table oauth_client_secrets add column made_by text;

alter table oauth_clients add column owner text;

alter table oauth_users add column owner text;

alter table oauth_client_secrets add column imported_hash text;

create index oauth_clients_by_owner on oauth_clients (owner, client_id) where owner is not null;

create index oauth_users_by_owner on oauth_users (owner, user_id) where owner is not null;

create table oauth_scope_usage (
  usage_hash blob not null primary key,
  day integer not null,
  client_id text not null,
  scope text not null,
  asked integer not null,
  granted integer not null,
  forget_at integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;

create index oauth_scope_usage_by_day on oauth_scope_usage (day, client_id);

create index oauth_scope_usage_by_client on oauth_scope_usage (client_id, day);

create index oauth_scope_usage_by_end on oauth_scope_usage (forget_at);

create table oauth_trusted_issuers (
  issuer text not null primary key,
  revision text not null,
  display_name text not null,
  kind text not null,
  trust_domain text,
  key_location text not null,
  jwks text,
  jwks_uri text,
  ca_certificates text,
  audience text,
  single_use integer not null,
  max_lifetime integer not null,
  rules text not null,
  owner text,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

alter table oauth_clients add column jwks_uri text;

alter table oauth_clients add column federated_identities text;

create table oauth_client_federated_identities (
  identity_hash blob not null primary key,
  issuer text not null,
  client_id text not null,
  created_at integer not null,
  created_by text not null
) strict;

create index oauth_client_federated_identities_by_issuer on oauth_client_federated_identities (issuer, client_id);

create index oauth_client_federated_identities_by_client on oauth_client_federated_identities (client_id);

alter table oauth_access_tokens add column extra_claims text;

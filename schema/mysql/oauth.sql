-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.
-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.
-- The collation is that of MariaDB; on MySQL 8 it is utf8mb4_0900_bin.

create table qscope_migrations (
  name varchar(64) not null primary key,
  applied_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table qscope_schema (
  id integer not null primary key,
  servers_from varchar(64),
  audit_protection varchar(16),
  running_migration varchar(64),
  running_direction varchar(16),
  running_statement integer,
  running_tried smallint,
  updated_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table oauth_clients (
  client_id varchar(128) not null primary key,
  display_name mediumtext not null,
  type varchar(32) not null,
  authentication_method varchar(32) not null,
  jwks mediumtext,
  tls_client_subject varchar(512),
  grant_types mediumtext not null,
  redirect_uris mediumtext not null,
  scopes mediumtext not null,
  audiences mediumtext not null,
  enabled smallint not null,
  version integer not null,
  token_generation integer not null,
  lock_version bigint not null,
  deleted_at bigint,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table oauth_client_configs (
  client_id varchar(128) not null primary key,
  access_token_ttl bigint not null,
  refresh_token_ttl bigint not null,
  refresh_token_max_lifetime bigint not null,
  authorization_code_ttl bigint not null,
  device_code_ttl bigint not null,
  device_poll_interval bigint not null,
  require_pkce smallint not null,
  access_token_format varchar(32) not null,
  max_active_refresh_tokens integer,
  max_active_refresh_tokens_per_user integer,
  max_active_access_tokens integer,
  refresh_token_replay_window bigint not null,
  allow_impersonation smallint not null,
  metadata mediumtext not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null,
  constraint oauth_client_configs_client foreign key (client_id) references oauth_clients (client_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table oauth_client_resource_audiences (
  audience varchar(255) not null primary key,
  client_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  constraint oauth_client_resource_audiences_client foreign key (client_id) references oauth_clients (client_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_client_resource_audiences_by_client on oauth_client_resource_audiences (client_id);

create table oauth_client_secrets (
  secret_id varchar(36) not null primary key,
  client_id varchar(128) not null,
  key_id varchar(64) not null,
  secret_hash binary(32) not null,
  expires_at bigint,
  last_used_at bigint,
  created_at bigint not null,
  created_by varchar(191) not null,
  constraint oauth_client_secrets_client foreign key (client_id) references oauth_clients (client_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_client_secrets_by_client on oauth_client_secrets (client_id);

create table oauth_users (
  user_id varchar(36) not null primary key,
  external_id varchar(255),
  active smallint not null,
  token_generation integer not null,
  deleted_at bigint,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_users_by_external_id on oauth_users (external_id);

create table oauth_grants (
  grant_id varchar(36) not null primary key,
  client_id varchar(128) not null,
  user_id varchar(36) not null,
  scopes mediumtext not null,
  audiences mediumtext not null,
  client_generation integer not null,
  user_generation integer not null,
  expires_at bigint not null,
  tokens_until bigint not null,
  revoked_at bigint,
  revocation_reason varchar(191),
  lock_version bigint not null,
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191),
  constraint oauth_grants_client foreign key (client_id) references oauth_clients (client_id),
  constraint oauth_grants_user foreign key (user_id) references oauth_users (user_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_grants_by_client on oauth_grants (client_id);

create index oauth_grants_by_user on oauth_grants (user_id);

create index oauth_grants_by_end on oauth_grants (tokens_until);

create table oauth_authorization_codes (
  code_id varchar(36) not null primary key,
  code_hash binary(32) not null,
  grant_id varchar(36) not null,
  redirect_uri mediumtext not null,
  code_challenge varchar(128),
  expires_at bigint not null,
  consumed_at bigint,
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191),
  constraint oauth_authorization_codes_grant foreign key (grant_id) references oauth_grants (grant_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_authorization_codes_by_hash on oauth_authorization_codes (code_hash);

create index oauth_authorization_codes_by_grant on oauth_authorization_codes (grant_id);

create table oauth_refresh_tokens (
  token_id varchar(36) not null primary key,
  token_hash binary(32) not null,
  grant_id varchar(36) not null,
  client_id varchar(128) not null,
  user_id varchar(36) not null,
  predecessor_id varchar(36),
  issued_at bigint not null,
  expires_at bigint not null,
  consumed_at bigint,
  successor_id varchar(36),
  replay_answer blob,
  replay_until bigint,
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191),
  constraint oauth_refresh_tokens_grant foreign key (grant_id) references oauth_grants (grant_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_refresh_tokens_by_hash on oauth_refresh_tokens (token_hash);

create index oauth_refresh_tokens_by_grant on oauth_refresh_tokens (grant_id);

create index oauth_refresh_tokens_by_client on oauth_refresh_tokens (client_id, token_id);

create index oauth_refresh_tokens_by_user on oauth_refresh_tokens (user_id, token_id);

create index oauth_refresh_tokens_by_spending on oauth_refresh_tokens (client_id, consumed_at, user_id);

create index oauth_refresh_tokens_by_replay on oauth_refresh_tokens (replay_until);

create table oauth_access_tokens (
  token_id varchar(36) not null primary key,
  token_hash binary(32) not null,
  client_id varchar(128) not null,
  subject varchar(128) not null,
  user_id varchar(36),
  grant_id varchar(36),
  scopes mediumtext not null,
  audiences mediumtext not null,
  client_generation integer not null,
  user_generation integer,
  actors mediumtext not null,
  ancestors mediumtext not null,
  signing_key_id varchar(36),
  certificate_hash binary(32),
  issued_at bigint not null,
  expires_at bigint not null,
  revoked_at bigint,
  revocation_reason varchar(191),
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191),
  constraint oauth_access_tokens_client foreign key (client_id) references oauth_clients (client_id),
  constraint oauth_access_tokens_user foreign key (user_id) references oauth_users (user_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_access_tokens_by_hash on oauth_access_tokens (token_hash);

create index oauth_access_tokens_by_client on oauth_access_tokens (client_id, token_id);

create index oauth_access_tokens_by_user on oauth_access_tokens (user_id, token_id);

create index oauth_access_tokens_by_grant on oauth_access_tokens (grant_id);

create index oauth_access_tokens_by_expiry on oauth_access_tokens (expires_at);

create table oauth_device_codes (
  device_authorization_id varchar(36) not null primary key,
  device_code_hash binary(32) not null,
  user_code_hash binary(32) not null,
  live_user_code_hash binary(32),
  user_code_key_id varchar(64) not null,
  client_id varchar(128) not null,
  scopes mediumtext not null,
  audiences mediumtext not null,
  client_generation integer not null,
  decision varchar(32) not null,
  poll_interval bigint not null,
  lock_version integer not null,
  last_polled_at bigint,
  grant_id varchar(36),
  expires_at bigint not null,
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191),
  constraint oauth_device_codes_client foreign key (client_id) references oauth_clients (client_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_device_codes_by_device_code on oauth_device_codes (device_code_hash);

create index oauth_device_codes_by_user_code on oauth_device_codes (user_code_hash);

create unique index oauth_device_codes_by_live_user_code on oauth_device_codes (live_user_code_hash);

create index oauth_device_codes_by_client on oauth_device_codes (client_id, expires_at);

create index oauth_device_codes_by_expiry on oauth_device_codes (expires_at);

create table oauth_leases (
  name varchar(64) not null primary key,
  holder varchar(191) not null,
  expires_at bigint not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table oauth_signing_keys (
  key_id varchar(36) not null primary key,
  algorithm varchar(32) not null,
  public_jwk mediumtext not null,
  private_key blob,
  encryption_key_id varchar(64),
  state varchar(32) not null,
  active_algorithm varchar(32),
  longest_lifetime bigint not null,
  prepared_at bigint not null,
  activated_at bigint,
  retired_at bigint,
  revoked_at bigint,
  revocation_reason mediumtext,
  tokens_until bigint,
  ray_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint,
  updated_by varchar(191)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_signing_keys_by_active_algorithm on oauth_signing_keys (active_algorithm);

create index oauth_signing_keys_by_state on oauth_signing_keys (state, tokens_until);

create table oauth_assertion_ids (
  assertion_hash binary(32) not null primary key,
  use_id varchar(36) not null,
  expires_at bigint not null,
  created_at bigint not null,
  created_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_assertion_ids_by_expiry on oauth_assertion_ids (expires_at);

create table oauth_revocation_heads (
  writer bigint not null primary key,
  sequence bigint not null,
  created_at bigint not null,
  updated_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create table oauth_revocations (
  writer bigint not null,
  sequence bigint not null,
  `key` binary(16) not null,
  forget_time bigint not null,
  constraint oauth_revocations_pk primary key (writer, sequence)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_revocations_by_forget_time on oauth_revocations (forget_time);

create table oauth_revocation_keys (
  key_id varchar(64) not null primary key,
  used_at bigint not null,
  created_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

alter table oauth_client_configs add column allow_own_rotation smallint default 0 not null;

alter table oauth_client_secrets add column made_by varchar(36);

alter table oauth_clients add column owner varchar(128);

alter table oauth_users add column owner varchar(128);

alter table oauth_client_secrets add column imported_hash varchar(512);

create index oauth_clients_by_owner on oauth_clients (owner, client_id);

create index oauth_users_by_owner on oauth_users (owner, user_id);

create table oauth_scope_usage (
  usage_hash binary(32) not null primary key,
  day bigint not null,
  client_id varchar(128) not null,
  scope varchar(128) not null,
  asked bigint not null,
  granted bigint not null,
  forget_at bigint not null,
  created_at bigint not null,
  updated_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_scope_usage_by_day on oauth_scope_usage (day, client_id);

create index oauth_scope_usage_by_client on oauth_scope_usage (client_id, day);

create index oauth_scope_usage_by_end on oauth_scope_usage (forget_at);

create table oauth_trusted_issuers (
  issuer varchar(512) not null primary key,
  revision varchar(36) not null,
  display_name mediumtext not null,
  kind varchar(32) not null,
  trust_domain varchar(255),
  key_location varchar(32) not null,
  jwks mediumtext,
  jwks_uri mediumtext,
  ca_certificates mediumtext,
  audience varchar(512),
  single_use smallint not null,
  max_lifetime bigint not null,
  rules mediumtext not null,
  owner varchar(128),
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

alter table oauth_clients add column jwks_uri mediumtext;

alter table oauth_clients add column federated_identities mediumtext;

create table oauth_client_federated_identities (
  identity_hash binary(32) not null primary key,
  issuer varchar(512) not null,
  client_id varchar(128) not null,
  created_at bigint not null,
  created_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_client_federated_identities_by_issuer on oauth_client_federated_identities (issuer, client_id);

create index oauth_client_federated_identities_by_client on oauth_client_federated_identities (client_id);

alter table oauth_access_tokens add column extra_claims mediumtext;

-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.

create table oauth_access_tokens (
  token_id text not null primary key,
  token_hash blob not null,
  client_id text not null,
  user_id text,
  grant_id text,
  scopes text not null,
  audiences text not null,
  client_generation integer not null,
  issued_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  revocation_reason text,
  ray_id text not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer,
  updated_by text,
  constraint oauth_access_tokens_client foreign key (client_id) references oauth_clients (client_id)
) strict;

create index oauth_access_tokens_by_client on oauth_access_tokens (client_id, token_id);

create index oauth_access_tokens_by_expiry on oauth_access_tokens (expires_at);

create index oauth_access_tokens_by_grant on oauth_access_tokens (grant_id) where grant_id is not null;

create unique index oauth_access_tokens_by_hash on oauth_access_tokens (token_hash);

create index oauth_access_tokens_by_user on oauth_access_tokens (user_id, token_id) where user_id is not null;

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

create table oauth_clients (
  client_id text not null primary key,
  display_name text not null,
  type text not null,
  authentication_method text not null,
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

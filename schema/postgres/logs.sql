-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.
-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.

create table oauth_audit_log (
  event_id varchar(36) collate "C" not null primary key,
  writer_id varchar(36) collate "C" not null,
  sequence bigint not null,
  previous_hash bytea not null,
  hash bytea not null,
  key_id varchar(64) collate "C" not null,
  event_type varchar(64) collate "C" not null,
  ray_id varchar(128) collate "C" not null,
  client_id varchar(128) collate "C",
  user_id varchar(128) collate "C",
  token_id varchar(36) collate "C",
  grant_id varchar(36) collate "C",
  actor varchar(191) collate "C" not null,
  metadata text collate "C" not null,
  created_at bigint not null,
  created_by varchar(191) collate "C" not null
);

create unique index oauth_audit_log_by_place on oauth_audit_log (writer_id, sequence);

create index oauth_audit_log_by_client on oauth_audit_log (client_id, event_id) where client_id is not null;

create index oauth_audit_log_by_user on oauth_audit_log (user_id, event_id) where user_id is not null;

create index oauth_audit_log_by_ray on oauth_audit_log (ray_id);

create table oauth_audit_heads (
  writer_id varchar(36) collate "C" not null primary key,
  ordinal bigint not null,
  sequence bigint not null,
  hash bytea not null,
  key_id varchar(64) collate "C" not null,
  mac bytea not null,
  created_at bigint not null,
  created_by varchar(191) collate "C" not null,
  updated_at bigint not null,
  updated_by varchar(191) collate "C" not null
);

create unique index oauth_audit_heads_by_ordinal on oauth_audit_heads (ordinal);

create table oauth_audit_roster (
  name varchar(64) collate "C" not null primary key,
  writers bigint not null,
  total bytea not null,
  created_at bigint not null,
  created_by varchar(191) collate "C" not null,
  updated_at bigint not null,
  updated_by varchar(191) collate "C" not null
);

create index oauth_audit_log_by_type on oauth_audit_log (event_type, event_id);

create table oauth_audit_followers (
  name varchar(64) collate "C" not null primary key,
  position text collate "C" not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);

create function oauth_audit_log_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'restrict_violation';
end
$$;

create trigger oauth_audit_log_no_change before update or delete or truncate on oauth_audit_log
for each statement execute function oauth_audit_log_refuse_change();

-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.
-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.

create table oauth_audit_log (
  event_id text not null primary key,
  writer_id text not null,
  sequence integer not null,
  previous_hash blob not null,
  hash blob not null,
  key_id text not null,
  event_type text not null,
  ray_id text not null,
  client_id text,
  user_id text,
  token_id text,
  grant_id text,
  actor text not null,
  metadata text not null,
  created_at integer not null,
  created_by text not null
) strict;

create unique index oauth_audit_log_by_place on oauth_audit_log (writer_id, sequence);

create index oauth_audit_log_by_client on oauth_audit_log (client_id, event_id) where client_id is not null;

create index oauth_audit_log_by_user on oauth_audit_log (user_id, event_id) where user_id is not null;

create index oauth_audit_log_by_ray on oauth_audit_log (ray_id);

create table oauth_audit_heads (
  writer_id text not null primary key,
  ordinal integer not null,
  sequence integer not null,
  hash blob not null,
  key_id text not null,
  mac blob not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

create unique index oauth_audit_heads_by_ordinal on oauth_audit_heads (ordinal);

create table oauth_audit_roster (
  name text not null primary key,
  writers integer not null,
  total blob not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

create index oauth_audit_log_by_type on oauth_audit_log (event_type, event_id);

create table oauth_audit_followers (
  name text not null primary key,
  position text not null,
  version integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;

create trigger oauth_audit_log_no_update before update on oauth_audit_log
begin
  select raise(abort, 'the audit log is append-only');
end;

create trigger oauth_audit_log_no_delete before delete on oauth_audit_log
begin
  select raise(abort, 'the audit log is append-only');
end;

create trigger oauth_audit_log_no_replace before insert on oauth_audit_log
when exists (select 1 from oauth_audit_log where event_id = new.event_id
  or (writer_id = new.writer_id and sequence = new.sequence))
begin
  select raise(abort, 'the audit log is append-only');
end;

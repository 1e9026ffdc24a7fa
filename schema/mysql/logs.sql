-- Written by scripts/dump-schema.ts from the migrations. Public: it follows semantic versioning.
-- To read and to compare; `qscope migrate up` makes it, and notes what it has made.
-- The collation is that of MariaDB; on MySQL 8 it is utf8mb4_0900_bin.

create table oauth_audit_log (
  event_id varchar(36) not null primary key,
  writer_id varchar(36) not null,
  sequence bigint not null,
  previous_hash binary(32) not null,
  hash binary(32) not null,
  key_id varchar(64) not null,
  event_type varchar(64) not null,
  ray_id varchar(128) not null,
  client_id varchar(128),
  user_id varchar(128),
  token_id varchar(36),
  grant_id varchar(36),
  actor varchar(191) not null,
  metadata mediumtext not null,
  created_at bigint not null,
  created_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_audit_log_by_place on oauth_audit_log (writer_id, sequence);

create index oauth_audit_log_by_client on oauth_audit_log (client_id, event_id);

create index oauth_audit_log_by_user on oauth_audit_log (user_id, event_id);

create index oauth_audit_log_by_ray on oauth_audit_log (ray_id);

create table oauth_audit_heads (
  writer_id varchar(36) not null primary key,
  ordinal bigint not null,
  sequence bigint not null,
  hash binary(32) not null,
  key_id varchar(64) not null,
  mac binary(32) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create unique index oauth_audit_heads_by_ordinal on oauth_audit_heads (ordinal);

create table oauth_audit_roster (
  name varchar(64) not null primary key,
  writers bigint not null,
  total binary(32) not null,
  created_at bigint not null,
  created_by varchar(191) not null,
  updated_at bigint not null,
  updated_by varchar(191) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create index oauth_audit_log_by_type on oauth_audit_log (event_type, event_id);

create table oauth_audit_followers (
  name varchar(64) not null primary key,
  position mediumtext not null,
  version bigint not null,
  created_at bigint not null,
  updated_at bigint not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_nopad_bin;

create trigger oauth_audit_log_no_update before update on oauth_audit_log
for each row signal sqlstate '45000' set message_text = 'the audit log is append-only';

create trigger oauth_audit_log_no_delete before delete on oauth_audit_log
for each row signal sqlstate '45000' set message_text = 'the audit log is append-only';

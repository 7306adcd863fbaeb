-- Configuration: immutable revisions, the current head of each document, the outbox to the log, the audit trail.

create table config_revisions (
  kind text not null,
  id text not null,
  revision integer not null check (revision >= 1),
  -- json and not jsonb: the text keeps the key order in which a person wrote a message body. Null: deleted.
  document json,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  primary key (kind, id, revision)
);

create table config_heads (
  kind text not null,
  id text not null,
  revision integer not null,
  deleted boolean not null,
  primary key (kind, id),
  foreign key (kind, id, revision) references config_revisions (kind, id, revision)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger config_revisions_immutable before update or delete on config_revisions
  for each row execute function refuse_change();
create trigger config_revisions_no_truncate before truncate on config_revisions
  for each statement execute function refuse_change();

create table outbox (
  seq bigserial primary key,
  -- Topic by its id in the topology: config or audit.
  topic text not null check (topic in ('config', 'audit')),
  key text not null,
  -- Null deletes the key from a compacted topic.
  value text,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz
);
create index outbox_waiting on outbox (seq) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

-- Who publishes, and since when a send is under way: a successor waits until that send can no longer land.
create table outbox_owner (
  one boolean primary key default true check (one),
  owner text not null,
  sending_since timestamptz
);

create function notify_outbox() returns trigger language plpgsql as $$
begin
  perform pg_notify('tocsin_outbox', '');
  return null;
end $$;
create trigger outbox_notify after insert on outbox for each statement execute function notify_outbox();

create table audit (
  seq bigserial primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  ip text,
  verb text not null,
  object text not null,
  revision integer,
  before_sha256 text,
  after_sha256 text,
  detail jsonb
);
create index audit_object on audit (object, seq);
create trigger audit_append_only before update or delete on audit
  for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit
  for each statement execute function refuse_change();

create table idempotency_keys (
  actor text not null,
  key text not null,
  -- Keyed hash of method, path and body: bodies may hold secrets.
  request_hash bytea not null,
  status integer not null,
  body text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (actor, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

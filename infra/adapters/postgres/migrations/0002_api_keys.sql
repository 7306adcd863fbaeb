-- API keys: only a keyed hash is stored. settings holds small values that all instances must share, such as the hash key.

create table settings (
  name text primary key,
  value bytea not null,
  created_at timestamptz not null default clock_timestamp()
);

create table api_keys (
  id text primary key,
  hmac bytea not null check (octet_length(hmac) = 32),
  name text not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

create function notify_api_keys() returns trigger language plpgsql as $$
begin
  perform pg_notify('tocsin_api_keys', '');
  return null;
end $$;
-- Not on last_used_at: that would wake every instance for every use.
create trigger api_keys_notify after insert or delete or update of revoked_at, expires_at, scopes on api_keys
  for each statement execute function notify_api_keys();

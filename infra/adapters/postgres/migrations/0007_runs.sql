-- Playbook runs as people search them, written by the recorder from run-events.v1, and the links by which people decide.

create table runs (
  key text not null,
  -- A key has a run after the other; the number grows.
  number bigint not null,
  -- Of the state of the key: a row is replaced by a higher version only.
  version bigint not null,
  playbook text not null,
  revision integer not null,
  status text not null,
  paused boolean not null,
  dry_run boolean not null,
  started_by text not null,
  tenant text,
  parent_key text,
  source jsonb,
  source_id text,
  event_type text,
  finding_id text,
  fingerprint text,
  severity text,
  title text,
  asset_id text,
  asset_name text,
  tags text[],
  waiting_on text[] not null,
  waiting jsonb not null,
  reason text,
  started_at timestamptz not null,
  ended_at timestamptz,
  changed_at timestamptz not null,
  state jsonb,
  primary key (key, number)
);
create index runs_by_time on runs (started_at desc, key desc, number desc);
create index runs_by_playbook on runs (playbook, started_at desc, key desc, number desc);
create index runs_by_status on runs (status, started_at desc, key desc, number desc);
create index runs_live on runs (started_at desc, key desc, number desc) where ended_at is null;
create index runs_by_asset on runs (asset_id, started_at desc) where asset_id is not null;
create index runs_by_finding on runs (finding_id, started_at desc) where finding_id is not null;
create index runs_by_fingerprint on runs (fingerprint, started_at desc) where fingerprint is not null;
create index runs_by_tag on runs using gin (tags) where tags is not null;

-- input_offset is part of the key: a version comes again for inputs that met no run.
create table run_changes (
  key text not null,
  number bigint not null,
  version bigint not null,
  input_offset bigint not null,
  seq integer not null,
  at timestamptz not null,
  what text not null,
  step text,
  place text,
  status text,
  actor text,
  decision_id text,
  facts jsonb not null,
  primary key (key, number, version, input_offset, seq)
);
create index run_changes_by_decision on run_changes (decision_id) where decision_id is not null;

create table approvals (
  -- 128 bits of SHA-256 of the token.
  id text primary key,
  token text not null,
  key text not null,
  number bigint not null,
  version bigint not null,
  playbook text not null,
  revision integer not null,
  dry_run boolean not null,
  place text not null,
  step text not null,
  title text,
  message text,
  sends jsonb,
  approvers text[],
  added text[] not null,
  excluded text[],
  delegate_to text[],
  delegates jsonb not null,
  quorum jsonb,
  votes jsonb not null,
  digest text not null,
  opened_at timestamptz not null,
  until timestamptz,
  status text not null default 'open',
  closed_at timestamptz
);
create index approvals_open on approvals (opened_at, id) where status = 'open';
create index approvals_of_run on approvals (key, number);

-- A link decides once, for one person, at one gate. Its text is in the answer that made it and nowhere else.
create table approval_links (
  hash bytea primary key check (octet_length(hash) = 32),
  approval text not null references approvals (id),
  user_name text not null,
  -- The id of the one decision: who posts again after an uncertain answer decides the same.
  decision_id text not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index approval_links_of_approval on approval_links (approval);

-- History of actions, written by the recorder from results.v1: one row per command, one per attempt.

create table executions (
  command_id text primary key,
  tenant text,
  type text not null,
  action_id text not null,
  action jsonb not null,
  rule_id text,
  rule jsonb,
  source jsonb not null,
  trigger text not null,
  connection text,
  mode text not null,
  row_index text not null,
  rows integer not null,
  skipped_rows integer,
  status text not null,
  final boolean not null,
  -- 0 another attempt follows, 1 answered from the ledger, 2 ended. A row is replaced by the same or a higher rank.
  rank smallint not null,
  attempt integer not null,
  code text,
  status_code integer,
  detail text,
  ref text,
  output jsonb,
  warnings jsonb,
  possible_duplicate boolean not null default false,
  next_attempt_at timestamptz,
  created_at timestamptz not null,
  started_at timestamptz not null,
  finished_at timestamptz not null
);
create index executions_by_action on executions (action_id, created_at desc, command_id desc);
create index executions_by_action_status on executions (action_id, status, created_at desc, command_id desc);
create index executions_by_rule on executions (rule_id, created_at desc, command_id desc) where rule_id is not null;

-- started_at is part of the key: the same attempt number can really run twice, after a crash, and both are told.
create table attempts (
  command_id text not null,
  attempt integer not null,
  status text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  final boolean not null,
  code text,
  status_code integer,
  detail text,
  ref text,
  output jsonb,
  warnings jsonb,
  possible_duplicate boolean not null default false,
  next_attempt_at timestamptz,
  primary key (command_id, attempt, status, started_at)
);

-- Risk scores. Sums are of numeric: exact, in whatever order the rows come.

-- One row for each command that scored, so that of two workers one writes; what it was answered is answered again.
create table risk_commands (
  command_id text primary key,
  made json not null default '[]',
  recorded_at timestamptz not null default clock_timestamp()
);

create table risk_scores (
  -- '' without tenant.
  tenant text not null,
  object_type text not null,
  object_id text not null,
  command_id text not null references risk_commands (command_id),
  kind text not null,
  name text,
  scoring_type text not null,
  score numeric not null,
  fidelity numeric not null check (fidelity between 0 and 1),
  effective numeric not null,
  index_name text not null,
  fields jsonb not null,
  rule jsonb,
  row_index bigint,
  scored_at timestamptz not null,
  -- Null: it counts for ever.
  expires_at timestamptz,
  primary key (tenant, object_type, object_id, command_id)
);
create index risk_scores_by_time on risk_scores (tenant, object_type, object_id, scored_at desc, command_id desc);
create index risk_scores_by_expiry on risk_scores (tenant, expires_at);

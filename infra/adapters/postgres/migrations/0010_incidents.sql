-- Incidents, the history of each, and the engine's own events as rows of the outbox.

create table incidents (
  id text primary key,
  command_id text not null unique,
  -- Grows with every change.
  version integer not null default 1,
  tenant text,
  title text not null,
  severity text not null,
  severities jsonb not null,
  status text not null,
  closed boolean not null,
  workflow jsonb not null,
  assignee text,
  description text not null,
  drilldown jsonb,
  index_suffix text,
  field_definitions jsonb not null,
  fields jsonb not null,
  additional_fields jsonb not null,
  inventory jsonb,
  -- Values by which the inventory finds the object, to search by.
  assets text[] not null,
  evidence jsonb not null,
  rule jsonb,
  rule_id text,
  action jsonb not null,
  source jsonb not null,
  warnings jsonb not null,
  -- What the command was answered, and is answered again, byte for byte.
  made json not null,
  created_at timestamptz not null,
  changed_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz
);
create index incidents_newest on incidents (created_at desc, id desc);
create index incidents_open on incidents (created_at desc, id desc) where not closed;
create index incidents_by_assignee on incidents (assignee, created_at desc, id desc) where assignee is not null;
create index incidents_by_rule on incidents (rule_id, created_at desc, id desc) where rule_id is not null;
create index incidents_by_asset on incidents using gin (assets);

create table incident_history (
  incident_id text not null references incidents (id),
  version integer not null,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  verb text not null,
  comment text,
  -- [{field, old, new}]
  changes jsonb not null,
  primary key (incident_id, version)
);
create trigger incident_history_append_only before update or delete on incident_history
  for each row execute function refuse_change();
create trigger incident_history_no_truncate before truncate on incident_history
  for each statement execute function refuse_change();

alter table outbox drop constraint outbox_topic_check;
alter table outbox add constraint outbox_topic_check
  check (topic in ('config', 'audit', 'playbook-versions', 'events'));

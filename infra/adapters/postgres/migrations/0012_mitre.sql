-- What inputs were triggers of which ATT&CK techniques.

create table mitre_records (
  command_id text primary key,
  tenant text,
  name text not null,
  rule_id text,
  rule text,
  layer text not null,
  techniques text[] not null,
  tactics text[] not null,
  severity text not null,
  original_severity text,
  index_name text not null,
  source_id text not null,
  event_id text,
  run_id text,
  row_index bigint,
  -- Computed from the rule, not looked up: the incident may come later, or never.
  incident_id text,
  fields jsonb not null,
  -- What the command was answered, and is answered again, byte for byte.
  made json not null,
  at timestamptz not null
);
create index mitre_records_by_layer on mitre_records (layer, at desc, command_id desc);
create index mitre_records_by_incident on mitre_records (incident_id) where incident_id is not null;

-- What sinks tell of their deliveries: the last ones of each sink, and whether it is paused.

create table deliveries (
  seq bigint generated always as identity primary key,
  id text not null unique,
  sink text not null,
  at timestamptz not null,
  sent_by text not null,
  request text,
  event_id text,
  event text,
  source jsonb,
  events integer not null,
  attempt integer not null,
  status text not null,
  status_code integer,
  code text,
  detail text,
  latency_ms integer not null,
  response text,
  omitted integer
);
create index deliveries_of_sink on deliveries (sink, seq desc);
create index deliveries_by_request on deliveries (request) where request is not null;

create table sink_states (
  sink text primary key,
  paused boolean not null,
  code text,
  detail text,
  at timestamptz not null
);

-- Outcomes of checks of connections, until whoever asked has read them. See docs/decisions/0019.

create table connection_checks (
  request text primary key,
  connection text not null,
  at timestamptz not null,
  outcome jsonb not null
);
create index connection_checks_by_time on connection_checks (at);

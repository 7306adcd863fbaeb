-- Dead letters, written by the recorder from dead-letters.v1: what failed, and what became of it. See docs/decisions/0014.

create table dead_letters (
  -- One thing that failed: the same letter written twice has the same id.
  id text primary key,
  letter_partition integer not null,
  letter_offset bigint not null,
  stage text not null,
  service text not null,
  reason text not null,
  error text not null,
  source_topic text,
  source_partition bigint,
  source_offset bigint,
  -- Where the record was first, when it was sent again before.
  first_source text,
  attempts integer not null,
  at timestamptz not null,
  first_at timestamptz,
  command_id text,
  part text,
  round integer,
  type text,
  action_id text,
  rule_id text,
  connection text,
  playbook text,
  run text,
  tenant text,
  -- The key as text, for people; its bytes are in dead_letter_contents.
  key text,
  -- How often what is in it was sent again before it failed here, and from which letter.
  redrives integer not null,
  redrive_of text,
  complete boolean not null,
  bytes bigint not null,
  state text not null default 'open' check (state in ('open', 'queued', 'redriven', 'purged')),
  state_by text,
  state_at timestamptz,
  -- How often it was asked to be sent from this letter.
  sent integer not null default 0,
  -- Of the request that it was queued by last.
  job text,
  due timestamptz,
  send_round integer,
  send_error text
);
create index dead_letters_by_time on dead_letters (at desc, id desc);
create index dead_letters_by_reason on dead_letters (reason, at desc);
create index dead_letters_by_state on dead_letters (state, at desc, id desc);
create index dead_letters_by_command on dead_letters (command_id) where command_id is not null;
create index dead_letters_queued on dead_letters (due) where state = 'queued';
create index dead_letters_by_job on dead_letters (job) where job is not null;

-- The original bytes; gone when the letter is purged.
create table dead_letter_contents (
  id text primary key references dead_letters (id) on delete cascade,
  key bytea,
  value bytea,
  -- [[name, base64], ...]
  headers jsonb not null
);

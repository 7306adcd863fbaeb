-- Published versions of playbooks: a revision with what it pins. A revision that names what does not exist has none.

create table playbook_versions (
  id text not null,
  revision integer not null,
  version json not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (id, revision)
);
create trigger playbook_versions_immutable before update or delete on playbook_versions
  for each row execute function refuse_change();
create trigger playbook_versions_no_truncate before truncate on playbook_versions
  for each statement execute function refuse_change();

alter table outbox drop constraint outbox_topic_check;
alter table outbox add constraint outbox_topic_check check (topic in ('config', 'audit', 'playbook-versions'));

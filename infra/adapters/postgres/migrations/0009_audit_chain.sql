-- The audit trail as a chain: each row holds SHA-256(hash of the row before it, its own content). Who changes, removes or
-- reorders a row breaks the chain there; the hashes are on audit.v1 too, which no database administrator can rewrite.

alter table audit
  -- By what the actor came: key:<id> or link.
  add column via text,
  add column prev_hash bytea,
  add column hash bytea;

-- Null and every text have one spelling each, and none is the beginning of another: '-', or <bytes>:<text>,
create function audit_text(value text) returns text language sql immutable as $$
  select coalesce(octet_length(convert_to(value, 'UTF8'))::text || ':' || value || ',', '-')
$$;

create function audit_hash(r audit) returns bytea language sql stable as $$
  select sha256(r.prev_hash || convert_to(
    audit_text(r.seq::text)
    || audit_text(to_char(r.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    || audit_text(r.actor) || audit_text(r.via) || audit_text(r.ip) || audit_text(r.verb) || audit_text(r.object)
    || audit_text(r.revision::text) || audit_text(r.before_sha256) || audit_text(r.after_sha256)
    || audit_text(r.detail::text), 'UTF8'))
$$;

alter table audit disable trigger audit_append_only;
do $$
declare
  r audit;
  prev bytea := decode(repeat('00', 32), 'hex');
begin
  for r in select * from audit order by seq loop
    r.prev_hash := prev;
    prev := audit_hash(r);
    update audit set prev_hash = r.prev_hash, hash = prev where seq = r.seq;
  end loop;
end $$;
alter table audit enable trigger audit_append_only;
alter table audit alter column prev_hash set not null, alter column hash set not null;

-- The number is drawn under the lock that is held until the commit: the order of the numbers is the order of the chain.
create function chain_audit() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(3853314794);
  new.seq := nextval('audit_seq_seq');
  new.prev_hash := coalesce(
    (select hash from audit order by seq desc limit 1), decode(repeat('00', 32), 'hex'));
  new.hash := audit_hash(new);
  return new;
end $$;
create trigger audit_chain before insert on audit for each row execute function chain_audit();
create index audit_by_actor on audit (actor, seq);

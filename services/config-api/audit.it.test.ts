// The audit trail: every write is in it, the chain shows what was changed by hand, and files of it open safely.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
let numbers = 0;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
});
afterAll(() => api.close());

const write = async () => {
  numbers += 1;
  const body = { id: `a-${numbers}`, type: 'log', params: {} };
  expect((await api.call({ method: 'POST', url: '/api/actions', body })).statusCode).toBe(201);
};
const verify = async (query = '') => (await api.call({ url: `/api/audit/verify${query}` })).json();

/** As somebody who may do everything to the database. */
async function byHand(change: string): Promise<void> {
  await api.pool.query(
    `alter table audit disable trigger user; ${change}; alter table audit enable trigger user`,
  );
}

it('refuses to change, remove or empty the trail', async () => {
  await write();
  for (const change of ["update audit set actor = 'x'", 'delete from audit', 'truncate audit'])
    await expect(api.pool.query(change)).rejects.toThrow('append-only');
});

it('is a chain whose hashes anybody can compute from the rows, and the export has all of them', async () => {
  for (let index = 0; index < 3; index += 1) await write();
  const verdict = await verify();
  expect(verdict).toMatchObject({ ok: true, broken: null });
  const lines = (await api.call({ url: '/api/audit/export' })).body.trimEnd().split('\n');
  expect(lines).toHaveLength(verdict.rows);
  const texts = await api.pool.query<Record<string, string | null>>(`
    select seq::text, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, actor, via, ip, verb, object,
      revision::text, before_sha256, after_sha256, detail::text from audit order by seq`);
  let previous = '0'.repeat(64);
  for (const [index, line] of lines.entries()) {
    const row = JSON.parse(line);
    const netstrings = Object.values(texts.rows[index] ?? {})
      .map((value) => (value === null ? '-' : `${Buffer.byteLength(value)}:${value},`))
      .join('');
    const hash = createHash('sha256').update(Buffer.from(previous, 'hex')).update(netstrings).digest('hex');
    expect([row.prev_hash, row.hash]).toEqual([previous, hash]);
    previous = hash;
  }
  expect(verdict.last.hash).toBe(previous);
});

it('the hashes are on audit.v1, where no administrator of the database reaches', async () => {
  await write();
  const [last] = (await api.call({ url: '/api/audit?limit=1' })).json().items;
  const sent = await api.db
    .selectFrom('outbox')
    .select('value')
    .where('topic', '=', 'audit')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  expect(JSON.parse(String(sent.value))).toMatchObject({ seq: last.seq, hash: last.hash, via: last.via });
});

it('stays one chain when many write at once, by whatever way', async () => {
  const row = {
    verb: 'x',
    detail: null,
    ip: null,
    revision: null,
    before_sha256: null,
    after_sha256: null,
    via: null,
  };
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      index % 3 === 0
        ? write()
        : api.db
            .insertInto('audit')
            .values({ ...row, actor: 'system', object: `x/${index}` })
            .execute(),
    ),
  );
  expect(await verify()).toMatchObject({ ok: true });
});

describe('T50: what was changed by hand is named', () => {
  let seqs: number[];
  beforeEach(async () => {
    await byHand('truncate audit');
    for (let index = 0; index < 6; index += 1) await write();
    const items = (await api.call({ url: '/api/audit' })).json().items as { seq: number }[];
    seqs = items.map(({ seq }) => seq).sort((a, b) => a - b);
    expect(await verify()).toMatchObject({ ok: true, rows: 6 });
  });

  it.each([
    ['actor', "actor = 'user:innocent'"],
    ['via', "via = 'link'"],
    ['ip', "ip = '192.0.2.1'"],
    ['time', "at = at - interval '1 microsecond'"],
    ['verb', "verb = 'read'"],
    ['object', "object = 'rule/x'"],
    ['revision', 'revision = 7'],
    ['before', "before_sha256 = 'x'"],
    ['after', 'after_sha256 = null'],
    ['detail', `detail = '{"a": 1}'`],
    ['hash', "hash = sha256('x')"],
  ])('another %s', async (_field, set) => {
    await byHand(`update audit set ${set} where seq = ${seqs[2]}`);
    expect(await verify()).toMatchObject({
      ok: false,
      rows: 3,
      broken: { seq: seqs[2], because: 'content' },
    });
  });

  it('a changed row whose own hash was made anew: the next one still names the old', async () => {
    await byHand(
      `update audit set actor = 'x' where seq = ${seqs[2]};
       update audit a set hash = audit_hash(a) where seq = ${seqs[2]}`,
    );
    expect(await verify()).toMatchObject({ ok: false, broken: { seq: seqs[3], because: 'previous' } });
  });

  it('a row that is gone, the first one too', async () => {
    await byHand(`delete from audit where seq = ${seqs[3]}`);
    expect(await verify()).toMatchObject({ ok: false, broken: { seq: seqs[4], because: 'previous' } });
    await byHand(`delete from audit where seq = ${seqs[0]}`);
    expect(await verify()).toMatchObject({
      ok: false,
      rows: 1,
      broken: { seq: seqs[1], because: 'previous' },
    });
  });

  it("two rows in each other's place", async () => {
    await byHand(
      `update audit set seq = -1 where seq = ${seqs[1]}; update audit set seq = ${seqs[1]} where seq = ${seqs[2]};
       update audit set seq = ${seqs[2]} where seq = -1`,
    );
    expect(await verify()).toMatchObject({ ok: false, broken: { seq: seqs[1], because: 'previous' } });
  });

  it('the end cut off, or the whole chain made anew: a hash from elsewhere finds it', async () => {
    const { last } = await verify();
    const anchor = `?seq=${last.seq}&hash=${last.hash}`;
    expect(await verify(anchor)).toMatchObject({ ok: true });
    await byHand(`
      update audit set actor = 'x' where seq = ${seqs[0]};
      do $$ declare r audit; prev bytea := decode(repeat('00', 32), 'hex'); begin
        for r in select * from audit order by seq loop
          r.prev_hash := prev; prev := audit_hash(r);
          update audit set prev_hash = r.prev_hash, hash = prev where seq = r.seq;
        end loop; end $$`);
    expect(await verify()).toMatchObject({ ok: true });
    expect(await verify(anchor)).toMatchObject({ ok: false, broken: { seq: last.seq, because: 'anchor' } });
    await byHand(`delete from audit where seq = ${last.seq}`);
    expect(await verify()).toMatchObject({ ok: true, rows: 5 });
    expect(await verify(anchor)).toMatchObject({
      ok: false,
      broken: { seq: last.seq, because: 'anchor_missing' },
    });
  });

  it.each(['?seq=1', `?hash=${'a'.repeat(64)}`, '?seq=x&hash=y'])('%s is refused', async (query) => {
    expect((await api.call({ url: `/api/audit/verify${query}` })).statusCode).toBe(400);
  });
});

it('rows from before the chain are chained by the migration', async () => {
  const old = await openTestApi(await newDatabase());
  await old.pool.query(`
    drop trigger audit_chain on audit; drop function chain_audit; drop function audit_hash; drop function audit_text;
    drop index audit_by_actor; alter table audit drop column via, drop column prev_hash, drop column hash;
    insert into audit (actor, verb, object, detail) values ('key:a', 'create', 'rule/ä', null), ('key:b', 'x', 'y', '{"z": 1}')`);
  const migrations = new URL('../../infra/adapters/postgres/migrations/', import.meta.url);
  await old.pool.query(readFileSync(new URL('0009_audit_chain.sql', migrations), 'utf8'));
  expect(await old.dependencies.audit.verify()).toMatchObject({ ok: true, rows: 2 });
  await expect(old.pool.query("update audit set actor = 'x'")).rejects.toThrow('append-only');
  await old.close();
});

describe('reading', () => {
  beforeAll(async () => {
    await byHand('truncate audit');
    for (let index = 0; index < 5; index += 1) await write();
    await api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: '=HYPERLINK("http://e/")', role: 'viewer' },
    });
  });

  it('pages newest first, each once', async () => {
    const seen = (await api.pages<{ seq: number }>('/api/audit')).flat().map(({ seq }) => seq);
    expect(seen).toEqual([...seen].sort((a, b) => b - a));
    expect(new Set(seen).size).toBe(6);
  });

  it.each([
    ['verb=create&object_prefix=action/', 5],
    ['object_prefix=action%25', 0],
    ['object_prefix=key/', 1],
    ['actor=nobody', 0],
    ['after=2020-01-01', 6],
    ['before=2020-01-01', 0],
  ])('%s finds %i', async (query, count) => {
    expect((await api.call({ url: `/api/audit?${query}` })).json().items).toHaveLength(count);
  });

  it.each(['after=soon', 'limit=x', 'order=seq;drop'])('%s is refused', async (query) => {
    expect((await api.call({ url: `/api/audit?${query}` })).statusCode).toBe(400);
  });

  it('T14: the CSV file starts no formula', async () => {
    await api.db
      .insertInto('audit')
      .values({
        actor: '=1+1',
        verb: '+x',
        object: '@y',
        detail: null,
        ip: null,
        revision: null,
        before_sha256: null,
        after_sha256: null,
        via: null,
      })
      .execute();
    const csv = await api.call({ url: '/api/audit/export?format=csv&verb=%2Bx' });
    const [header, row] = csv.body.split('\r\n');
    expect(header).toBe(
      'seq,at,actor,via,ip,verb,object,revision,before_sha256,after_sha256,detail,prev_hash,hash',
    );
    expect(row).toContain("'=1+1");
    expect(row).toContain("'+x");
    expect(row).toContain("'@y");
    expect(await verify()).toMatchObject({ ok: true });
  });

  it('is for approvers and administrators', async () => {
    const make = async (role: string) =>
      (await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', role } })).json().key;
    for (const [role, status] of [
      ['viewer', 403],
      ['editor', 403],
      ['operator', 403],
      ['approver', 200],
    ] as const)
      expect((await api.call({ url: '/api/audit', key: await make(role) })).statusCode, role).toBe(status);
  });
});

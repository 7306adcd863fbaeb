// Runs over HTTP: starting, searching, history, and what operators do. Behind it is the real state machine, in memory.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';
import { createTestRuns, type TestRuns } from './test-runs.ts';

let api: TestApi;
let runs: TestRuns;
let operator: string;
let viewer: string;

const event = {
  id: 'e1',
  event: 'finding.new',
  data: {
    finding_id: 'f-1',
    fingerprint: 'web/CVE-1',
    title: '=Hole in web',
    severity: 'critical',
    asset: { id: 'a-1', name: 'web.example', tags: ['dmz'] },
  },
};

async function keyFor(body: object): Promise<string> {
  return (await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', ...body } })).json().key;
}

beforeAll(async () => {
  runs = createTestRuns(
    () => api.db,
    [
      { id: 'mail', action: 'mail', onError: 'incident' },
      { id: 'later', delay: 'PT1H', set: { done: true } },
    ],
  );
  api = await openTestApi(await newDatabase(), {
    producer: runs.producer,
    playbookHead: async (id) => (id === 'p' ? { revision: 1 } : id === 'newer' ? { revision: 2 } : null),
  });
  operator = await keyFor({ role: 'operator', user: 'olga' });
  viewer = await keyFor({ role: 'viewer' });
});
afterAll(() => api.close());

const start = (body: object = { event }, headers: Record<string, string> = {}, playbook = 'p') =>
  api.call({ method: 'POST', url: `/api/playbooks/${playbook}/run`, key: operator, body, headers });
const get = (url: string, key = operator) => api.call({ url, key });
const verb = (key: string, name: string, body: object = {}) =>
  api.call({ method: 'POST', url: `/api/runs/${key}/${name}`, key: operator, body });
const started = async (body?: object): Promise<string> => (await start(body)).json().key;
const auditOf = async (object: string) =>
  (await api.call({ url: `/api/audit?object=${encodeURIComponent(object)}` })).json().items as Record<
    string,
    unknown
  >[];

/** The result of the last command of a run. */
async function answer(key: string, status: 'succeeded' | 'failed'): Promise<void> {
  const run = (await get(`/api/runs/${key}`)).json();
  const [place] = Object.keys(run.state.nodes);
  const node = run.state.nodes[place as string];
  const token = `${key}.${run.number}/${place}.${node.e}`;
  await runs.apply(key, {
    kind: 'result',
    command_id: node.command,
    status,
    token,
    ...(status === 'failed' ? { code: 'http_500' } : {}),
  });
}

describe('starting', () => {
  it('answers the key; the run is found with who started it and what it is about', async () => {
    const response = await start();
    expect(response.statusCode).toBe(202);
    const { key } = response.json();
    expect(response.headers['location']).toBe(`/api/runs/${key}`);
    expect((await get(`/api/runs/${key}`)).json()).toMatchObject({
      playbook: 'p',
      revision: 1,
      status: 'running',
      started_by: 'user:olga',
      source_id: `manual/${key}`,
      finding_id: 'f-1',
      fingerprint: 'web/CVE-1',
      severity: 'critical',
      asset_id: 'a-1',
      asset_name: 'web.example',
      tags: ['dmz'],
      waiting_on: ['action'],
    });
    expect(await auditOf(`run/${key}`)).toMatchObject([
      { verb: 'start', actor: 'user:olga', via: expect.stringMatching(/^key:/), revision: 1 },
    ]);
  });

  it('A54: the same Idempotency-Key gives the same run, one after the other and at once', async () => {
    const headers = { 'idempotency-key': 'once' };
    const before = runs.inputs.length;
    const both = await Promise.all([start({ event }, headers), start({ event }, headers)]);
    const again = await start({ event }, headers);
    const keys = new Set([...both, again].map((each) => each.json().key));
    expect(keys.size).toBe(1);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(runs.inputs.length - before).toBeLessThanOrEqual(2);
    const [key] = keys;
    expect((await get(`/api/runs/${key}`)).json().numbers).toHaveLength(1);
    const other = await start({ event: { ...event, id: 'e2' } }, headers);
    expect([other.statusCode, other.json().error.code]).toEqual([409, 'idempotency_mismatch']);
  });

  it('a retry after a log that was away starts the same run, and the trail tells of both', async () => {
    const headers = { 'idempotency-key': 'away' };
    runs.mode = 'fail';
    const refused = await start({ event }, headers);
    runs.mode = 'work';
    expect([refused.statusCode, refused.json().error.code]).toEqual([503, 'unavailable']);
    const { key } = (await start({ event }, headers)).json();
    expect((await auditOf(`run/${key}`)).map((row) => row['verb'])).toEqual([
      'start',
      'start-undelivered',
      'start',
    ]);
    expect((await get(`/api/runs/${key}`)).statusCode).toBe(200);
  });

  it.each([
    [{ event, asset: { id: 'a' } }, 422, '/asset'],
    [{ event: { data: {} } }, 422, '/event/event'],
    [{ event: { ...event, data: 'x' } }, 422, '/event/data'],
    [{ event, params: { text: 'x'.repeat(140_000) } }, 422, ''],
    [{ evnt: event }, 400, '/evnt'],
    [{ dry_run: 'true' }, 400, '/dry_run'],
    [{ asset: {} }, 400, '/asset/id'],
  ])('%j is refused', async (body, status, path) => {
    const response = await start(body);
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([status, path]);
  });

  it('an asset stands for an event; dry_run goes with the input', async () => {
    const key = await started({ asset: { id: 'a-9', name: 'db' }, params: { n: 1 }, dry_run: true });
    expect(runs.inputs.at(-1)).toMatchObject({
      key,
      input: { event: { data: { asset: { id: 'a-9' } } }, params: { n: 1 }, dry_run: true },
    });
  });

  it('a draft starts nothing; what is published does, with its revision', async () => {
    const real = await openTestApi(await newDatabase(), { producer: { send: async () => undefined } });
    const steps = [{ id: 'a', action: 'gone' }];
    const body = { id: 'q', enabled: false, steps };
    expect((await real.call({ method: 'POST', url: '/api/playbooks', body })).statusCode).toBe(201);
    const run = () => real.call({ method: 'POST', url: '/api/playbooks/q/run', body: {} });
    const draft = await run();
    expect([draft.statusCode, draft.json().error.code]).toEqual([409, 'draft']);
    const action = { id: 'gone', type: 'log', params: {} };
    await real.call({ method: 'POST', url: '/api/actions', body: action });
    const headers = { 'if-match': '"1"' };
    await real.call({ method: 'PUT', url: '/api/playbooks/q', body: { steps }, headers });
    expect((await run()).json()).toMatchObject({ playbook: 'q', revision: 2 });
    await real.close();
  });

  it('an unknown playbook is unknown', async () => {
    expect((await start({}, {}, 'nothing')).statusCode).toBe(404);
    expect((await start({}, {}, '..%2fx')).statusCode).toBe(404);
  });

  it('a run that the engine has not told of yet is explained, and one that it refused too', async () => {
    runs.mode = 'hold';
    const { key } = (await start()).json();
    const early = await get(`/api/runs/${key}`);
    expect([early.statusCode, early.json().error.code]).toEqual([404, 'not_yet']);
    expect(early.headers['retry-after']).toBe('1');
    await runs.release();
    runs.mode = 'work';
    expect((await get(`/api/runs/${key}`)).statusCode).toBe(200);
    const refused = (await start({}, {}, 'newer')).json().key;
    const late = (await get(`/api/runs/${refused}`)).json().error;
    expect([late.code, late.message]).toEqual([
      'not_started',
      expect.stringContaining('revision 2 of newer is not known'),
    ]);
    expect((await get(`/api/runs/${refused}/history?number=0`)).json().items).toMatchObject([
      { what: 'note', input: 'start' },
    ]);
  });
});

describe('operating', () => {
  it('pause, resume, cancel: each is an input by the person, and in the history and the trail', async () => {
    const key = await started();
    expect((await verb(key, 'pause', { reason: 'lunch', extend: true })).statusCode).toBe(202);
    expect((await get(`/api/runs/${key}`)).json().paused).toBe(true);
    await verb(key, 'resume');
    await verb(key, 'cancel', { reason: 'enough' });
    expect((await get(`/api/runs/${key}`)).json()).toMatchObject({
      status: 'cancelled',
      reason: 'enough',
      paused: false,
      fingerprint: 'web/CVE-1',
      waiting_on: [],
    });
    const items = (await get(`/api/runs/${key}/history`)).json().items as Record<string, unknown>[];
    expect(items.filter((each) => each['what'] === 'operator')).toMatchObject([
      { status: 'pause', actor: 'user:olga', reason: 'lunch' },
      { status: 'resume', actor: 'user:olga' },
      { status: 'cancel', actor: 'user:olga' },
    ]);
    expect((await auditOf(`run/${key}`)).map((row) => row['verb'])).toEqual([
      'cancel',
      'resume',
      'pause',
      'start',
    ]);
  });

  it('B01: every verb on a run that is over, or was never, is refused', async () => {
    const key = await started();
    await verb(key, 'cancel');
    const before = runs.inputs.length;
    for (const name of ['pause', 'resume', 'cancel', 'retry']) {
      const response = await verb(key, name);
      expect([response.statusCode, response.json().error.code]).toEqual([409, 'over']);
      expect((await verb('f'.repeat(32), name)).json().error.code).toBe('not_found');
    }
    expect((await verb(key, 'skip', { step: 'mail' })).statusCode).toBe(409);
    expect(runs.inputs.length).toBe(before);
  });

  it('retry starts the step under the same command id; skip ends it with an output', async () => {
    const key = await started();
    await answer(key, 'failed');
    expect((await get(`/api/runs/${key}`)).json()).toMatchObject({
      status: 'incident',
      waiting_on: ['operator'],
    });
    const ids = () =>
      runs.produced
        .filter(({ value }) => value['command_id'] !== undefined)
        .map(({ value }) => value['command_id']);
    const first = ids().at(-1);
    await verb(key, 'retry', { step: 'mail' });
    expect(ids().at(-1)).toBe(first);
    expect((await get(`/api/runs/${key}`)).json().status).toBe('running');
    await verb(key, 'skip', { step: 'mail', output: { sent: false } });
    const run = (await get(`/api/runs/${key}`)).json();
    expect(run.state.steps.mail).toMatchObject({ status: 'skipped', outputs: { sent: false } });
    expect(run.waiting).toMatchObject([{ place: 'later#0', for: 'delay' }]);
  });

  it.each([
    ['skip', {}, '/step'],
    ['skip', { step: 'mail', output: [] }, '/output'],
    ['pause', { by: 'somebody else' }, '/by'],
    ['cancel', { compensate: 1 }, '/compensate'],
    ['retry', { step: '' }, '/step'],
  ])('%s %j is refused', async (name, body, path) => {
    const response = await verb(await started(), name, body);
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, path]);
  });

  it('a viewer reads and does nothing', async () => {
    const key = await started();
    expect((await get(`/api/runs/${key}/history`, viewer)).statusCode).toBe(200);
    for (const url of [`/api/runs/${key}/cancel`, '/api/runs/operate', '/api/playbooks/p/run'])
      expect((await api.call({ method: 'POST', url, key: viewer, body: {} })).statusCode).toBe(403);
  });
});

describe('many at once', () => {
  const operate = (body: object) =>
    api.call({ method: 'POST', url: '/api/runs/operate', key: operator, body });
  const about = (fingerprint: string) => ({ event: { ...event, data: { ...event.data, fingerprint } } });

  it('retries what waits for an operator, in parts, and says when there is more', async () => {
    const keys: string[] = [];
    for (let index = 0; index < 5; index += 1) keys.push(await started(about('many')));
    for (const key of keys.slice(0, 4)) await answer(key, 'failed');
    const filter = { finding: 'many' };
    const dry = (await operate({ verb: 'retry', filter, dry_run: true })).json();
    expect([dry.count, dry.more, new Set(dry.keys)]).toEqual([4, false, new Set(keys.slice(0, 4))]);
    const before = runs.inputs.length;
    expect((await operate({ verb: 'retry', filter, limit: 3 })).json()).toMatchObject({
      count: 3,
      more: true,
    });
    expect((await operate({ verb: 'retry', filter })).json()).toMatchObject({ count: 1, more: false });
    expect((await operate({ verb: 'retry', filter })).json()).toMatchObject({ count: 0 });
    expect(runs.inputs.slice(before).map(({ input }) => input)).toEqual(
      Array.from({ length: 4 }, () => ({ kind: 'retry', by: 'user:olga' })),
    );
    expect((await operate({ verb: 'retry', filter: { ...filter, status: 'running' } })).json().count).toBe(0);
    const cancelled = (await operate({ verb: 'cancel', filter, reason: 'gone' })).json();
    expect(cancelled.count).toBe(5);
    expect((await get('/api/runs?finding=many&status=cancelled')).json().items).toHaveLength(5);
    expect((await auditOf('run/*'))[0]).toMatchObject({
      verb: 'operate',
      detail: { verb: 'cancel', keys: expect.arrayContaining(keys) },
    });
  });

  it.each([
    [{ verb: 'cancel', filter: {} }, '/filter'],
    [{ verb: 'cancel' }, '/filter'],
    [{ verb: 'pause', filter: { playbook: 'p' } }, '/verb'],
    [{ verb: 'cancel', filter: { playbook: 'p' }, limit: 1_001 }, '/limit'],
    [{ verb: 'cancel', filter: { started_after: 'yesterday' } }, '/started_after'],
    [{ verb: 'cancel', filter: { palybook: 'p' } }, '/filter/palybook'],
  ])('%j is refused', async (body, path) => {
    const response = await operate(body);
    expect([response.statusCode, response.json().error.issues[0].path]).toEqual([400, path]);
  });
});

describe('searching', () => {
  it('pages through all, newest first, each once', async () => {
    for (let index = 0; index < 5; index += 1)
      await started({ event: { ...event, data: { ...event.data, finding_id: 'paged' } } });
    const pages = await api.pages<{ key: string }>('/api/runs?finding=paged', operator);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    const seen = pages.flat().map(({ key }) => key);
    expect([seen.length, new Set(seen).size]).toEqual([5, 5]);
    const other = (await get('/api/runs?finding=paged&limit=2')).json().next_cursor;
    expect((await get(`/api/runs?finding=other&limit=2&cursor=${other}`)).statusCode).toBe(400);
  });

  it.each([
    ['playbook=p', true],
    ['playbook=q', false],
    ['asset=a-search', true],
    ['asset=search.example', true],
    ['asset=web.example', false],
    ['tag=blue', true],
    ['tag=dmz', false],
    ['severity=low', true],
    ['waiting_on=action', true],
    ['waiting_on=approval', false],
    ['paused=false', true],
    ['paused=true', false],
    ['live=true', true],
    ['live=false', false],
    ['status=running', true],
    ['started_by=user:olga', true],
    ['started_by=user:nobody', false],
    ['started_after=2020-01-01', true],
    ['started_before=2020-01-01', false],
    ['dry_run=true', false],
    ['q=SEARCHABLE', true],
    ['q=100%25_', true],
    ['q=1000', false],
  ])('%s finds it: %s', async (query, found) => {
    if ((await get('/api/runs?finding=f-search')).json().items.length === 0)
      await started({
        event: {
          event: 'finding.new',
          data: {
            finding_id: 'f-search',
            title: 'searchable 100%_ sure',
            severity: 'low',
            tags: ['blue'],
            asset: { id: 'a-search', name: 'search.example' },
          },
        },
      });
    const { items } = (await get(`/api/runs?finding=f-search&${query}`)).json();
    expect(items.length).toBe(found ? 1 : 0);
  });

  it.each([
    'paused=yes',
    'status=done',
    'sort=key;select pg_sleep(5)',
    'q=x',
    'limit=0',
    'started_after=soon',
  ])('C11: %s is refused', async (query) => {
    expect((await get(`/api/runs?${encodeURI(query)}`)).statusCode).toBe(400);
  });

  it.each(['/api/runs/..%2f..%2fx', '/api/runs/%00', `/api/runs/${'a'.repeat(4_000)}`, '/api/runs/x%27--'])(
    'C09: %s is not found',
    async (url) => {
      const response = await get(url);
      expect([response.statusCode, response.json().error.code]).toEqual([404, 'not_found']);
    },
  );
});

describe('history', () => {
  it('pages in the order in which things happened', async () => {
    const key = await started();
    await verb(key, 'pause');
    await verb(key, 'resume');
    const all = (await get(`/api/runs/${key}/history`)).json().items as { what: string }[];
    const seen = (await api.pages<{ what: string }>(`/api/runs/${key}/history`, operator)).flat();
    expect(seen).toEqual(all);
    expect(all.map(({ what }) => what)).toEqual(['run', 'step', 'command', 'operator', 'operator']);
  });

  it('is exported whole, as lines of JSON and as CSV without formulas', async () => {
    const key = await started();
    await verb(key, 'pause', { reason: '=cmd|calc' });
    await verb(key, 'cancel', { reason: '+1' });
    const lines = (await get(`/api/runs/${key}/export`)).body.trimEnd().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows[0]).toMatchObject({ key, what: 'run', status: 'running' });
    expect(rows.at(-1)).toMatchObject({ what: 'run', status: 'cancelled' });
    const csv = await get(`/api/runs/${key}/export?format=csv`);
    expect(csv.headers['content-type']).toContain('text/csv');
    expect(csv.headers['content-disposition']).toMatch(/^attachment; filename="run-[0-9a-f]{32}-\d+\.csv"$/);
    expect(csv.body.split('\r\n')[0]).toBe(
      'key,number,version,input_offset,seq,at,what,step,place,status,actor,decision_id,facts',
    );
    expect(csv.body.trimEnd().split('\r\n')).toHaveLength(rows.length + 1);
    expect((await get(`/api/runs/${'e'.repeat(32)}/export`)).statusCode).toBe(404);
  });
});

// Dead letters over the API: searched, counted, read, sent again and purged, each change with its audit row.
import { createDeadLetterStore } from '@tocsin/adapters/postgres/dead-letter-store.ts';
import { startRedriveQueue } from '@tocsin/adapters/postgres/redrive-queue.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import type { DeadLetter } from '@tocsin/topologies/domain/dead-letter.ts';
import { fakeMetrics } from '@tocsin/topologies/ports/fakes/metrics.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import {
  commandLetter,
  findingLetter,
  letterCommand,
  letterTime,
  readLetterOf,
} from '@tocsin/topologies/testing/letters.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestApi, silentLogger, type TestApi } from './test-api.ts';

let api: TestApi;
let operator: string;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  const made = await api.call({
    method: 'POST',
    url: '/api/keys',
    body: { name: 'o', role: 'operator', user: 'olga' },
  });
  operator = made.json().key;
});
afterAll(() => api.close());
beforeEach(() => api.pool.query('truncate dead_letters cascade'));

const url = '/api/dead-letters';
const get = async (path: string) => (await api.call({ url: `${url}${path}` })).json();
const post = (path: string, body: unknown) =>
  api.call({ method: 'POST', url: `${url}${path}`, body, key: operator });

/** Stores letters; their ids in the same order. */
async function store(...letters: DeadLetter[]): Promise<string[]> {
  const read = letters.map(readLetterOf);
  await createDeadLetterStore(api.db).write(read);
  return read.map(({ id }) => id);
}

const findings = (count: number, over: Partial<DeadLetter> = {}): DeadLetter[] =>
  Array.from({ length: count }, (_, index) => ({
    ...findingLetter,
    source: { ...findingLetter.source, offset: 100 + index },
    at: letterTime + index * 1_000,
    ...over,
  }));

const commandOf = (id: string, over: object = {}): DeadLetter => ({
  ...commandLetter,
  commandId: id,
  value: Buffer.from(JSON.stringify({ ...letterCommand, command_id: id, ...over })),
});
const hex = (digit: string) => digit.repeat(32);
const code = async (response: Promise<{ statusCode: number; json(): { error: { code: string } } }>) => {
  const { statusCode, json } = await response;
  return [statusCode, json().error?.code];
};
const audited = async () =>
  (
    await api.db
      .selectFrom('audit')
      .selectAll()
      .where('object', 'like', 'dead-letter%')
      .orderBy('seq')
      .execute()
  ).map(({ actor, verb, object, detail }) => ({ actor, verb, object, detail }));

describe('reading', () => {
  it('lists the newest first, in pages that meet no letter twice', async () => {
    const ids = await store(...findings(5));
    const pages = await api.pages<{ id: string }>(url);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.toReversed());
  });

  it.each([
    ['reason=http_5xx', 1],
    ['reason=nope', 0],
    ['state=open', 3],
    ['state=purged', 0],
    ['stage=command', 1],
    ['service=actions/webhook', 1],
    ['source=findings.v1', 2],
    ['type=webhook', 1],
    ['action=notify', 1],
    ['rule=critical-findings', 1],
    ['playbook=contain', 1],
    ['run=contain:f1', 1],
    ['connection=hook', 1],
    [`command=${letterCommand.command_id}`, 1],
    ['tenant=acme', 1],
    ['after=2026-04-28T12:00:01Z', 1],
    ['before=2026-04-28T12:00:01Z', 2],
    ['q=GAVE%20UP', 1],
    ['q=%25', 400],
    ['q=a-1001', 1],
    ['after=yesterday', 400],
    ['surprise=1', 400],
  ])('%s finds %i', async (query, expected) => {
    await store(commandLetter, ...findings(2));
    const response = await api.call({ url: `${url}?${query}` });
    if (expected === 400) expect(response.statusCode).toBe(400);
    else expect(response.json().items).toHaveLength(expected);
  });

  it('counts by reason, most first, within a search', async () => {
    await store(commandLetter, ...findings(3));
    expect(await get('/counts')).toEqual({
      by: 'reason',
      total: 4,
      items: [
        {
          name: 'json_syntax',
          count: 3,
          oldest: '2026-04-28T12:00:00.000Z',
          newest: '2026-04-28T12:00:02.000Z',
        },
        {
          name: 'http_5xx',
          count: 1,
          oldest: '2026-04-28T12:00:00.000Z',
          newest: '2026-04-28T12:00:00.000Z',
        },
      ],
    });
    const byType = await get('/counts?by=type&stage=command');
    expect(byType.items).toMatchObject([{ name: 'webhook', count: 1 }]);
  });

  it('shows bytes that are no text in base64, and gives them as they are', async () => {
    const [id = ''] = await store(findingLetter);
    expect(await get(`/${id}`)).toMatchObject({
      state: 'open',
      source: { topic: 'findings.v1', partition: 3, offset: 42 },
      contents: {
        key: { base64: '/wA=' },
        value: { base64: 'eyL/' },
        headers: [{ name: 'trace', text: '\u0001\u0002' }],
      },
    });
    const file = await api.call({ url: `${url}/${id}/value` });
    expect([file.headers['content-type'], file.rawPayload]).toEqual([
      'application/octet-stream',
      findingLetter.value,
    ]);
  });

  it('shows a command with what it says of itself, and the beginning of what is long', async () => {
    const [id = ''] = await store(commandLetter);
    expect(await get(`/${id}`)).toMatchObject({
      command: { type: 'webhook', action: 'notify', connection: 'hook', run: 'contain:f1', round: 1 },
      contents: { key: { text: 'a-1001' }, value: { text: commandLetter.value?.toString() } },
    });
    const [long = ''] = await store({ ...findingLetter, value: Buffer.from('é'.repeat(50_001)) });
    const { contents } = await get(`/${long}`);
    expect([contents.value.cut, contents.value.text.length]).toEqual([true, 32_768]);
    expect((await api.call({ url: `${url}/${long}/value` })).rawPayload).toHaveLength(100_002);
  });

  it.each(['x', hex('0'), hex('G')])('answers 404 for %s', async (id) => {
    for (const path of [`/${id}`, `/${id}/value`])
      expect((await api.call({ url: `${url}${path}` })).statusCode).toBe(404);
    expect(await code(post(`/${id}/redrive`, {}))).toEqual([404, 'not_found']);
    expect(await code(post(`/${id}/purge`, {}))).toEqual([404, 'not_found']);
  });

  it('stores a letter once, and what people did to it stays', async () => {
    const [id = ''] = await store(findingLetter);
    await post(`/${id}/purge`, {});
    await store(findingLetter);
    expect(await get(`/${id}`)).toMatchObject({ state: 'purged', state_by: 'user:olga', contents: null });
  });

  it('stores what PostgreSQL could not', async () => {
    const [id = ''] = await store({
      ...findingLetter,
      error: 'a\u0000b',
      key: Buffer.from('k\u0000'),
      attempts: 10 ** 12,
      at: 8.64e15,
    });
    expect(await get(`/${id}`)).toMatchObject({ key: 'k\ufffd', at: '9999-12-31T00:00:00.000Z' });
  });

  it('prunes what is older than the topic, and never what waits to be sent', async () => {
    const [old = '', waiting = '', young = ''] = await store(...findings(3));
    await post(`/${waiting}/redrive`, {});
    const pruned = await createDeadLetterStore(api.db).prune(new Date(letterTime + 1_500), 100);
    expect(pruned).toBe(1);
    expect((await get('')).items.map(({ id }: { id: string }) => id)).toEqual([young, waiting]);
    expect((await api.call({ url: `${url}/${old}/value` })).statusCode).toBe(404);
  });
});

describe('sending one again', () => {
  it('queues it once, with an audit row', async () => {
    const before = (await audited()).length;
    const [id = ''] = await store(findingLetter);
    const answer = await post(`/${id}/redrive`, { reason: 'the producer is mended' });
    expect([answer.statusCode, answer.json().state]).toEqual([202, 'queued']);
    expect(await code(post(`/${id}/redrive`, {}))).toEqual([409, 'letter_state']);
    expect(await code(post(`/${id}/purge`, {}))).toEqual([409, 'letter_state']);
    expect((await audited()).slice(before)).toEqual([
      {
        actor: 'user:olga',
        verb: 'redrive',
        object: `dead-letter/${id}`,
        detail: { job: answer.json().job, reason: 'the producer is mended' },
      },
    ]);
  });

  it.each([
    ['a recipient of a mail that was sent', { ...commandLetter, part: 'a@example.org' }, 'not_redrivable'],
    ['offsets that could not be read', { ...findingLetter, value: null }, 'not_redrivable'],
    ['a value that was cut', { ...findingLetter, value: Buffer.alloc(1_000_000, 'x') }, 'not_redrivable'],
    [
      'a changelog',
      { ...findingLetter, source: { topic: 'run-events.v1', partition: 0, offset: 1 } },
      'not_redrivable',
    ],
    [
      'a command that may have had its effect',
      { ...commandLetter, reason: 'uncertain' },
      'duplicate_possible',
    ],
  ])('refuses %s', async (_what, letter, expected) => {
    const [id = ''] = await store(letter as DeadLetter);
    const refused = await post(`/${id}/redrive`, {});
    expect([refused.statusCode, refused.json().error.code]).toEqual([422, expected]);
    expect((await get(`/${id}`)).state).toBe('open');
  });

  it('takes a command that may have had its effect when a duplicate is accepted', async () => {
    const [id = ''] = await store({ ...commandLetter, reason: 'uncertain' });
    expect((await post(`/${id}/redrive`, { accept_duplicate: 'true' })).statusCode).toBe(400);
    expect((await post(`/${id}/redrive`, { accept_duplicate: true })).statusCode).toBe(202);
  });

  it('sends the letter of the last round of a command, and none before it', async () => {
    const [first = '', second = ''] = await store(commandOf(hex('a')), commandOf(hex('a'), { round: 2 }));
    expect(await code(post(`/${first}/redrive`, {}))).toEqual([422, 'not_redrivable']);
    expect((await post(`/${second}/redrive`, {})).statusCode).toBe(202);
    const row = await api.db
      .selectFrom('dead_letters')
      .select('send_round')
      .where('id', '=', second)
      .executeTakeFirst();
    expect(row?.send_round).toBe(3);
  });
});

describe('many', () => {
  const filter = { reason: 'json_syntax' };

  it('are previewed, and changed only by whoever knows how many they are', async () => {
    const before = (await audited()).length;
    await store(
      ...findings(4),
      { ...findingLetter, value: null, error: 'gone', at: letterTime - 1 },
      commandLetter,
    );
    const preview = await post('/redrive', { filter, limit: 3, dry_run: true });
    expect(preview.json()).toMatchObject({
      dry_run: true,
      matching: 5,
      more: true,
      count: 2,
      refused: [{ because: 'no_bytes', count: 1 }],
    });
    expect(await code(post('/redrive', { filter, limit: 3 }))).toEqual([422, 'invalid']);
    expect(await code(post('/redrive', { filter, limit: 3, expected: 4 }))).toEqual([409, 'count_changed']);
    expect((await get('?state=queued')).items).toEqual([]);
    const done = await post('/redrive', { filter, limit: 3, expected: 5, per_second: 10 });
    const { job, ids } = done.json();
    expect([done.statusCode, ids]).toEqual([202, preview.json().ids]);
    const queued = (await get(`?job=${job}`)).items as { id: string; due: string }[];
    expect(queued.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    const [late, soon] = queued.map(({ due }) => Date.parse(due)) as [number, number];
    expect(Math.round((late - soon) / 10)).toBe(10);
    expect((await audited()).slice(before)).toEqual([
      {
        actor: 'user:olga',
        verb: 'redrive',
        object: `dead-letters/${job}`,
        detail: { filter, limit: 3, per_second: 10, ids },
      },
    ]);
  });

  it('need a filter and a limit, and know their fields', async () => {
    for (const body of [
      {},
      { filter },
      { limit: 5 },
      { filter: {}, limit: 5 },
      { filter, limit: 0 },
      { filter, limit: 1_001 },
      { filter: { ...filter, id: hex('a') }, limit: 5 },
      { filter, limit: 5, again: true },
    ])
      for (const verb of ['redrive', 'purge'])
        expect((await post(`/${verb}`, { ...body, expected: 0 })).statusCode).toBe(400);
  });

  it('of one command are one: the last round, and of that one letter', async () => {
    const held = { ...commandOf(hex('b'), { round: 2 }), reason: 'timeout' };
    const ids = await store(commandOf(hex('b')), commandOf(hex('b'), { round: 2 }), held);
    const all = { filter: { command: hex('b') }, limit: 10, expected: 3 };
    const done = (await post('/redrive', all)).json();
    expect(done).toMatchObject({ count: 1, refused: [{ because: 'superseded', count: 2 }] });
    expect(ids.slice(1)).toContain(done.ids[0]);
  });

  it('are taken back as far as they were not sent', async () => {
    await store(...findings(3));
    const { job } = (await post('/redrive', { filter, limit: 9, expected: 3 })).json();
    expect((await post(`/jobs/${job}/cancel`, {})).json()).toEqual({ job, cancelled: 3 });
    expect((await post(`/jobs/${job}/cancel`, {})).json()).toEqual({ job, cancelled: 0 });
    expect((await get('?state=open')).items).toHaveLength(3);
    expect((await audited()).at(-1)).toMatchObject({ verb: 'cancel', detail: { count: 3 } });
  });

  it('are purged: their bytes are gone, who did it and why is known', async () => {
    const ids = await store(...findings(2), commandLetter);
    expect((await post('/purge', { filter, limit: 9, dry_run: true })).json()).toMatchObject({ count: 2 });
    const done = await post('/purge', { filter, limit: 9, expected: 2, reason: 'a test' });
    expect(done.json()).toMatchObject({ count: 2, ids: ids.slice(0, 2) });
    const rows = await api.db.selectFrom('dead_letter_contents').select('id').execute();
    expect(rows).toEqual([{ id: ids[2] }]);
    expect((await audited()).at(-1)).toMatchObject({ verb: 'purge', detail: { reason: 'a test' } });
    expect(await code(post(`/${ids[0]}/redrive`, {}))).toEqual([409, 'letter_state']);
  });
});

describe('the queue', () => {
  const sent: OutRecord[] = [];
  const open = (send: (records: readonly OutRecord[]) => Promise<void>, perSecond = 1_000) =>
    startRedriveQueue({
      pool: api.pool,
      producer: { send },
      logger: silentLogger,
      metrics: fakeMetrics(),
      perSecond,
      pollMs: 20,
    });

  it('sends what was asked for, and marks it', async () => {
    const [id = ''] = await store(findingLetter);
    await post(`/${id}/redrive`, {});
    const queue = open(async (records) => void sent.push(...records));
    await expect.poll(async () => (await get(`/${id}`)).state).toBe('redriven');
    await queue.stop();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      topic: 'findings.v1',
      key: findingLetter.key,
      value: findingLetter.value,
    });
    expect(await get(`/${id}`)).toMatchObject({ sent: 1, state_by: 'user:olga' });
    expect(await code(post(`/${id}/redrive`, {}))).toEqual([409, 'letter_state']);
    expect((await post(`/${id}/redrive`, { again: true })).statusCode).toBe(202);
  });
});

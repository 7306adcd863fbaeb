// Playbooks over HTTP: their life, their versions in the outbox, what they name and what names them, and every way not to save one.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { compileVersion } from '@tocsin/topologies/domain/playbooks/parse-playbook.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  await post('connections', { id: 'hook', type: 'http', host: 'hooks.example.org' });
  await post('connections', { id: 'mail', type: 'smtp', host: 'mail.example.org', from: 'soc@example.org' });
  await post('actions', { id: 'note', type: 'log', params: {} });
  await post('actions', { id: 'tell', type: 'webhook', connection: 'hook', params: { path: '/a' } });
});
afterAll(() => api.close());

const post = (resource: string, body: unknown) => api.call({ method: 'POST', url: `/api/${resource}`, body });
const put = (resource: string, id: string, revision: number, body: unknown) =>
  api.call({
    method: 'PUT',
    url: `/api/${resource}/${id}`,
    body,
    headers: { 'if-match': `"${revision}"` },
  });
const remove = (url: string) => api.call({ method: 'DELETE', url });
const act = (id: string, action: unknown = 'note', more: object = {}) => ({ id, action, ...more });
const playbook = (id: string, steps: unknown[], more: object = {}) => ({ id, steps, ...more });

async function issuesOf(answer: ReturnType<typeof post>): Promise<string[]> {
  const { error } = (await answer).json();
  return (error?.issues ?? []).map(
    ({ path, message }: { path: string; message: string }) => `${path}: ${message}`,
  );
}

async function outboxOf(id: string) {
  const rows = await api.db
    .selectFrom('outbox')
    .select(['topic', 'key', 'value'])
    .where('key', 'in', [`playbook/${id}`, ...Array.from({ length: 9 }, (_, n) => `${id}@${n + 1}`)])
    .where('topic', '!=', 'audit')
    .orderBy('seq')
    .execute();
  return rows.map(({ topic, key, value }) => ({
    topic,
    key,
    value: value === null ? null : JSON.parse(value),
  }));
}

describe('the life of a playbook', () => {
  it('is created, changed and deleted; each revision is published with what it pins, ahead of itself', async () => {
    await post('actions', { id: 'pinned', type: 'log', params: {} });
    const document = playbook('life', [act('a', 'pinned'), { id: 'b', playbook: { id: 'life' } }]);
    const created = await post('playbooks', document);
    expect([created.statusCode, created.headers.location, created.json().warnings]).toEqual([
      201,
      '/api/playbooks/life',
      [],
    ]);
    const first = (await outboxOf('life')).map(({ topic, key }) => `${topic} ${key}`);
    expect(first).toEqual(['playbook-versions life@1', 'config playbook/life']);

    // The action changes; the playbook keeps what it was published with until it is saved again.
    expect((await put('actions', 'pinned', 1, { type: 'log', params: {}, name: 'new' })).statusCode).toBe(
      200,
    );
    expect((await outboxOf('life')).length).toBe(2);
    expect((await put('playbooks', 'life', 1, { ...document, name: 'second' })).statusCode).toBe(200);
    expect((await remove('/api/playbooks/life')).statusCode).toBe(204);
    const all = await outboxOf('life');
    expect(all.map(({ topic, key }) => `${topic} ${key}`)).toEqual([
      ...first,
      'playbook-versions life@2',
      'config playbook/life',
      'config playbook/life',
    ]);
    const versions = all.filter(({ topic }) => topic === 'playbook-versions').map(({ value }) => value);
    for (const version of versions) {
      expect(checkDocument('playbook-version.json', version)).toEqual([]);
      expect(compileVersion(version).issues).toEqual([]);
    }
    expect(versions.map(({ actions }) => [actions.pinned.revision, actions.pinned.document.name])).toEqual([
      [1, undefined],
      [2, 'new'],
    ]);
    const { updated_by: by, updated_at: at } = created.json();
    expect([versions[0].published_by, versions[0].published_at]).toEqual([by, Date.parse(at)]);
    // Deleted, and still there for the runs that wait.
    expect(all.at(-1)?.value).toBeNull();
    const kept = await api.db
      .selectFrom('playbook_versions')
      .select('revision')
      .where('id', '=', 'life')
      .execute();
    expect(kept.map(({ revision }) => revision).sort()).toEqual([1, 2]);
    await expect(api.db.deleteFrom('playbook_versions').execute()).rejects.toThrow('append-only');
  });

  it('pins the playbooks that it runs at their revisions of the moment', async () => {
    await post('playbooks', playbook('below', [act('a')]));
    await put('playbooks', 'below', 1, playbook('below', [act('a')], { name: 'second' }));
    await post('playbooks', playbook('above', [{ id: 'run', playbook: { id: 'below' } }]));
    await put('playbooks', 'below', 2, playbook('below', [act('a')], { name: 'third' }));
    const [version] = await outboxOf('above');
    expect(version?.value.playbooks).toEqual({ below: 2 });
  });

  it('is refused with nothing left behind', async () => {
    expect(await issuesOf(post('playbooks', playbook('lost', [act('a', 'gone')])))).toEqual([
      '/steps/0/action: the action gone does not exist',
    ]);
    expect((await api.call({ url: '/api/playbooks/lost' })).statusCode).toBe(404);
    expect(await outboxOf('lost')).toEqual([]);
  });
});

describe('a draft', () => {
  const draft = playbook('draft', [act('a', 'later'), { id: 'b', playbook: { id: 'no-such' } }], {
    enabled: false,
  });

  it('may name what does not exist, is told so, and is not published until it is complete', async () => {
    const saved = await post('playbooks', draft);
    expect(saved.statusCode).toBe(201);
    expect(saved.json().warnings).toEqual([
      {
        path: '/steps/0/action',
        message: 'the action later does not exist',
        severity: 'warning',
        code: 'draft',
      },
      {
        path: '/steps/1/playbook/id',
        message: 'the playbook no-such does not exist',
        severity: 'warning',
        code: 'draft',
      },
    ]);
    expect((await outboxOf('draft')).map(({ topic }) => topic)).toEqual(['config']);
    expect(await issuesOf(put('playbooks', 'draft', 1, { ...draft, enabled: true }))).toEqual([
      '/steps/0/action: the action later does not exist',
      '/steps/1/playbook/id: the playbook no-such does not exist',
    ]);
    await post('actions', { id: 'later', type: 'log', params: {} });
    const complete = playbook('draft', [act('a', 'later')]);
    expect((await put('playbooks', 'draft', 1, complete)).statusCode).toBe(200);
    expect((await outboxOf('draft')).map(({ topic, key }) => `${topic} ${key}`)).toEqual([
      'config playbook/draft',
      'playbook-versions draft@2',
      'config playbook/draft',
    ]);
  });

  it('cannot be run by another playbook', async () => {
    await post('playbooks', playbook('half', [act('a', 'gone')], { enabled: false }));
    expect(
      await issuesOf(post('playbooks', playbook('over', [{ id: 'run', playbook: { id: 'half' } }]))),
    ).toEqual(['/steps/0/playbook/id: the playbook half is a draft that names what does not exist']);
  });

  it('is not saved with faults of its own', async () => {
    const faulty = playbook('faulty', [act('a'), act('a')], { enabled: false });
    expect(await issuesOf(post('playbooks', faulty))).toEqual([
      '/steps/1/id: a is the id of another step, a',
    ]);
  });
});

describe('what refers to a document', () => {
  it('keeps actions, connections, lists and playbooks that a playbook names, wherever it does', async () => {
    await post('lists', { id: 'lab', values: ['x'] });
    await post('actions', { id: 'undo', type: 'log', params: {} });
    await post('playbooks', playbook('child', [act('a')]));
    const parent = playbook(
      'parent',
      [
        {
          id: 'if',
          if: { 'finding.a': 1 },
          then: [
            act(
              'x',
              { type: 'webhook', connection: 'hook', params: { path: '/x' } },
              { compensate: act('u', 'undo') },
            ),
          ],
          else: [{ id: 'run', playbook: { id: 'child' } }],
        },
      ],
      { trigger: { when: { any: [{ 'data.host': { in_list: 'lab' } }] } } },
    );
    expect((await post('playbooks', parent)).statusCode).toBe(201);
    for (const [url, message] of [
      ['actions/undo', 'action undo is used by playbook/parent'],
      ['connections/hook', 'connection hook is used by action/tell, playbook/parent'],
      ['lists/lab', 'list lab is used by playbook/parent'],
      ['playbooks/child', 'playbook child is used by playbook/parent'],
    ]) {
      const answer = await remove(`/api/${url}`);
      expect([answer.statusCode, answer.json().error?.message]).toEqual([409, message]);
    }
    expect((await remove('/api/playbooks/parent')).statusCode).toBe(204);
    for (const url of ['actions/undo', 'lists/lab', 'playbooks/child'])
      expect((await remove(`/api/${url}`)).statusCode).toBe(204);
  });

  it('keeps a playbook that a rule starts, and refuses a rule that starts none', async () => {
    await post('playbooks', playbook('started', [act('a')]));
    const rule = (id: string, name: string) => ({
      id,
      match_all: true,
      then: [{ action: 'note' }, { playbook: name }],
    });
    expect(await issuesOf(post('rules', rule('lost', 'no-such')))).toEqual([
      '/then/1/playbook: the playbook no-such does not exist',
    ]);
    expect((await post('rules', rule('starter', 'started'))).statusCode).toBe(201);
    const answer = await remove('/api/playbooks/started');
    expect([answer.statusCode, answer.json().error.message]).toEqual([
      409,
      'playbook started is used by rule/starter',
    ]);
    expect((await remove('/api/rules/starter')).statusCode).toBe(204);
    expect((await remove('/api/playbooks/started')).statusCode).toBe(204);
  });

  it('takes no value for a name, and lets a playbook go that runs itself', async () => {
    await post('actions', { id: 'word', type: 'log', params: {} });
    const own = playbook('own', [
      { id: 'set', set: { action: 'word', note: { action: 'word' } } },
      { id: 'again', playbook: { id: 'own' } },
    ]);
    expect((await post('playbooks', own)).statusCode).toBe(201);
    expect((await remove('/api/actions/word')).statusCode).toBe(204);
    expect((await remove('/api/playbooks/own')).statusCode).toBe(204);
  });
});

describe('a playbook that cannot run', () => {
  const nested = (depth: number): object =>
    depth === 0 ? act('x') : { id: `n${depth}`, parallel: { branches: [[nested(depth - 1)]] } };
  it.each<[string, unknown, number, string]>([
    [
      'an unknown field of a nested step',
      [{ id: 'a', forEach: { items: [], max: 1, do: [{ id: 'b', acton: 'note' }] } }],
      400,
      '/steps/0/forEach/do/0/acton: unknown field',
    ],
    [
      'C16 a cycle without bound',
      [act('a'), act('b', 'note', { onError: { goto: 'a' } })],
      422,
      '/steps/1/onError/max: is required',
    ],
    [
      'C17 an unreachable step',
      [{ id: 'e', end: { status: 'failed' } }, act('a')],
      422,
      '/steps/1: the step a is never reached',
    ],
    [
      'C17 a goto to nowhere',
      [act('a', 'note', { onError: { goto: 'z' } })],
      422,
      '/steps/0/onError/goto: there is no step z',
    ],
    ['C17 no step', [], 422, '/steps: a step is missing'],
    ['C18 an if without steps', [{ id: 'a', if: { 'finding.a': 1 } }], 422, '/steps/0/then: '],
    ...['-PT1S', 'PT0S', 'P10Y', '1h30', '24h ', 'P91D'].map((delay): [string, unknown, number, string] => [
      `C19 a delay of ${delay}`,
      [act('a', 'note', { delay })],
      422,
      '/steps/0/delay: ',
    ]),
    [
      'C20 a thousand million attempts',
      [act('a', 'note', { retry: { attempts: 1e9, base: 'PT1S' } })],
      400,
      '/steps/0/retry/attempts: must be <= 100',
    ],
    [
      'C20 a factor below 1',
      [act('a', 'note', { retry: { attempts: 2, base: 'PT1S', factor: 0.5 } })],
      400,
      '/steps/0/retry/factor: must be >= 1',
    ],
    [
      'C21 nobody to approve',
      [{ id: 'g', approve: { title: 'x', by: { anyOf: [] } } }],
      400,
      '/steps/0/approve/by/anyOf: ',
    ],
    [
      'C21 a quorum of three of two',
      [{ id: 'g', approve: { title: 'x', by: { anyOf: ['user:a', 'user:b'] }, quorum: { approve: 3 } } }],
      422,
      '/steps/0/approve/quorum/approve: needs 3 of 2 people',
    ],
    [
      'a condition that names a later step',
      [act('a', 'note', { when: { 'steps.b.status': 'failed' } }), act('b')],
      422,
      '/steps/0/when',
    ],
    ['steps nested too deep', [nested(9)], 422, '/steps/0/parallel'],
    [
      'an unknown action type',
      [act('a', { type: 'constructor' })],
      422,
      '/steps/0/action/type: must be one of ',
    ],
    [
      'a type without its connection',
      [act('a', { type: 'webhook', params: { path: '/' } })],
      422,
      '/steps/0/action/connection: the type webhook needs a connection',
    ],
    [
      'a report that is mailed, without its connection',
      [act('a', { type: 'report', params: { deliver: ['store', 'mail'], to: ['a@example.com'] } })],
      422,
      '/steps/0/action/connection: the type report needs a connection',
    ],
    [
      'a connection of another type',
      [act('a', { type: 'webhook', connection: 'mail', params: { path: '/' } })],
      422,
      '/steps/0/action/connection: must be a connection of type http',
    ],
    [
      'a connection that is missing',
      [act('a', { type: 'webhook', connection: 'gone', params: { path: '/' } })],
      422,
      '/steps/0/action/connection: the connection gone does not exist',
    ],
    [
      'a parameter that its type does not know',
      [act('a', { type: 'log', params: { levle: 1 } })],
      422,
      '/steps/0/action/params/levle: unknown field',
    ],
    [
      'a wrong parameter beside one that the run gives',
      [act('a', 'tell', { with: { path: { $: 'finding.path' }, method: 7 } })],
      422,
      '/steps/0/with/method: ',
    ],
    [
      'a place to wait at with two dots',
      [{ id: 'w', waitFor: { event: 'x', correlate: 'y', at: 'data..id' } }],
      422,
      '/steps/0/waitFor/at: ',
    ],
  ])('%s', async (_, steps, status, expected) => {
    const answer = await post('playbooks', playbook('bad', steps as unknown[]));
    expect(answer.statusCode).toBe(status);
    expect((await issuesOf(Promise.resolve(answer)))[0]).toContain(expected);
    expect((await api.call({ url: '/api/playbooks/bad' })).statusCode).toBe(404);
  });

  it('C21 only its author could approve', async () => {
    const { updated_by: me } = (await post('playbooks', playbook('mine', [act('a')]))).json();
    const gate = { id: 'g', approve: { title: 'x', by: { anyOf: [`user:${me}`] } } };
    expect(await issuesOf(post('playbooks', playbook('gate', [gate])))).toEqual([
      '/steps/0/approve/by/anyOf: names nobody but the author, who cannot approve',
    ]);
  });

  it('a trigger whose list, key or condition does not fit', async () => {
    const triggered = (trigger: object) =>
      issuesOf(post('playbooks', playbook('bad', [act('a')], { trigger })));
    expect(await triggered({ when: { 'data.a': { in_list: 'gone' } } })).toEqual([
      '/trigger/when/data.a/in_list: the list gone does not exist',
    ]);
    expect(await triggered({ when: {} })).toEqual([
      '/trigger/when: is empty; match_all: true takes everything',
    ]);
    const dedupe = (key: string) => ({ match_all: true, dedupe: { key: [key], window: 'P1D' } });
    expect((await triggered(dedupe('steps.a.outputs.x')))[0]).toMatch(/^\/trigger\/dedupe\/key\/0: /);
    expect((await triggered(dedupe('finding.*')))[0]).toMatch(/^\/trigger\/dedupe\/key\/0: /);
  });

  it('more than a record holds with its actions', async () => {
    const ids = Array.from({ length: 30 }, (_, n) => `large-${n}`);
    for (const id of ids)
      await post('actions', {
        id,
        type: 'webhook',
        connection: 'hook',
        params: {
          path: '/',
          body: { headline: 'x'.repeat(15_000), more: Array.from({ length: 3 }, () => 'y'.repeat(15_000)) },
        },
      });
    expect(
      await issuesOf(
        post(
          'playbooks',
          playbook(
            'sum',
            ids.map((id) => act(id, id)),
          ),
        ),
      ),
    ).toEqual(['/steps: with its actions a playbook has at most 1000000 bytes']);
    const store = api.dependencies.store.write({ id: 'import', scopes: ['admin'] }, (writer) =>
      writer.put({
        kind: 'playbook',
        ...playbook(
          'sum',
          ids.map((id) => act(id, id)),
        ),
      } as never),
    );
    await expect(store).rejects.toThrow('playbook sum cannot be published: /steps: ');
    expect(await outboxOf('sum')).toEqual([]);
  });

  it('more than 64 KiB, and a body nested beyond all levels', async () => {
    const large = playbook('large', [act('a', 'note', { with: { text: 'x'.repeat(66_000) } })]);
    expect(await issuesOf(post('playbooks', large))).toEqual([
      ': a playbook has at most 128 levels and 65536 bytes',
    ]);
    const deep = `{"id":"deep","steps":${'[{"id":"a","if":{"finding.a":1},"then":'.repeat(500)}[]${'}]'.repeat(500)}}`;
    expect((await post('playbooks', deep)).statusCode).toBe(400);
  });
});

it('one with values, waits and approvals is kept as it was written', async () => {
  const rich = playbook('rich', [
    act('a', 'tell', {
      with: { path: '/{{finding.title}}', body: { host: { $: 'finding.asset.name' } } },
      retry: { attempts: 3, base: 'PT1M' },
    }),
    {
      id: 'w',
      waitFor: {
        event: ['scan.completed', 'scan.failed'],
        correlate: '{{steps.a.command_id}}',
        at: 'data.ref',
      },
      deadline: 'PT6H',
    },
    {
      id: 'g',
      approve: { title: 'ok?', by: { anyOf: ['role:soc'] }, covers: ['i'] },
      onReject: { run: [act('r')] },
    },
    act('i', { type: 'webhook', connection: 'hook', params: { path: '/x' } }),
  ]);
  const saved = await post('playbooks', rich);
  expect([saved.statusCode, saved.json().error]).toEqual([201, undefined]);
  expect((await api.call({ url: '/api/playbooks/rich' })).json().document.steps).toEqual(rich.steps);
});

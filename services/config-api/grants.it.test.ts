// Privileged action types: who may grant them, every way to bring one into force without the scope, and what is written down for those who may.
import { roles } from '@tocsin/adapters/postgres/access.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';
import { sinks } from '@tocsin/topologies/sinks/registry.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

const script = {
  ...actions.log,
  manifest: { ...actions.log.manifest, id: 'script', privileged: true as const },
};

let api: TestApi;
let editor: string;
let scripter: string;
const sent: unknown[] = [];

async function newKey(body: object): Promise<string> {
  const made = await api.call({ method: 'POST', url: '/api/keys', body: { name: 'k', ...body } });
  expect(made.statusCode).toBe(201);
  return made.json().key;
}

const post = (resource: string, body: object, key = api.adminKey) =>
  api.call({ method: 'POST', url: `/api/${resource}`, body, key });
const put = (resource: string, id: string, revision: number, body: object, key = api.adminKey) =>
  api.call({
    method: 'PUT',
    url: `/api/${resource}/${id}`,
    body,
    key,
    headers: revision === 0 ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` },
  });

beforeAll(async () => {
  api = await openTestApi(await newDatabase(), {
    catalogue: { actions: { ...actions, script }, sinks },
    producer: { send: async (records) => void sent.push(...records) },
  });
  editor = await newKey({ role: 'editor' });
  scripter = await newKey({ scopes: [...roles.editor, 'write:runs', 'action:script'] });
  await post('actions', { id: 'note', type: 'log', params: {} });
  await post('actions', { id: 'wipe', type: 'script', params: {} });
  await post('playbooks', { id: 'contain', steps: [{ id: 'a', action: 'wipe' }] });
  await post('playbooks', { id: 'harmless', steps: [{ id: 'a', action: 'note' }] });
});
afterAll(() => api.close());

const then = (...entries: object[]) => ({ when: { severity: 'critical' }, then: entries });
const inline = { type: 'script', params: {} };

async function expectForbidden(answer: ReturnType<typeof post>, ...paths: string[]): Promise<void> {
  const { statusCode, body } = await answer;
  const { error } = JSON.parse(body);
  expect([statusCode, error?.code]).toEqual([403, 'forbidden']);
  expect(error.message).toContain('needs the scope action:script');
  expect(error.issues).toEqual(paths.map((path) => ({ path, message: 'needs the scope action:script' })));
}

describe('T23: without the scope', () => {
  it('no action of the type is created or changed', async () => {
    await expectForbidden(post('actions', { id: 'mine', type: 'script', params: {} }, editor), '/type');
    await expectForbidden(put('actions', 'mine', 0, { type: 'script', params: {} }, editor), '/type');
    await expectForbidden(
      put('actions', 'wipe', 1, { type: 'script', params: {}, name: 'x' }, editor),
      '/type',
    );
    expect((await api.call({ url: '/api/actions/mine' })).statusCode).toBe(404);
    expect((await api.call({ url: '/api/actions/wipe' })).json().revision).toBe(1);
  });

  it('an editor adds none by PUT to a rule that had none', async () => {
    const rule = then({ action: 'note' });
    expect((await post('rules', { id: 'quiet', ...rule }, editor)).statusCode).toBe(201);
    await expectForbidden(
      put('rules', 'quiet', 1, then({ action: 'note' }, { action: 'wipe' }), editor),
      '/then/1/action',
    );
    expect((await api.call({ url: '/api/rules/quiet' })).json()).toMatchObject({
      revision: 1,
      document: rule,
    });
  });

  it('C22: no rule with one is created, changed or switched on, but reading and deleting stay possible', async () => {
    const rule = then({ action: 'wipe' });
    await expectForbidden(post('rules', { id: 'own', ...rule }, editor), '/then/0/action');
    await expectForbidden(post('rules', { id: 'own', enabled: false, ...rule }, editor), '/then/0/action');
    expect((await post('rules', { id: 'off', enabled: false, ...rule }, scripter)).statusCode).toBe(201);
    await expectForbidden(put('rules', 'off', 1, { enabled: true, ...rule }, editor), '/then/0/action');
    expect((await api.call({ url: '/api/rules/off', key: editor })).json().document.enabled).toBe(false);
    expect((await put('rules', 'off', 1, { enabled: true, ...rule }, scripter)).statusCode).toBe(200);
    expect((await api.call({ method: 'DELETE', url: '/api/rules/off', key: editor })).statusCode).toBe(204);
  });

  it('no rule and no playbook starts a playbook that uses one, however far below', async () => {
    await post('playbooks', { id: 'above', steps: [{ id: 'run', playbook: { id: 'contain' } }] });
    await expectForbidden(
      post('rules', { id: 'r', ...then({ playbook: 'above' }) }, editor),
      '/then/0/playbook',
    );
    const steps = [{ id: 'run', playbook: { id: 'above' } }];
    await expectForbidden(post('playbooks', { id: 'p', steps }, editor), '/steps/0/playbook/id');
    // Its newest revision is harmless; `above` runs the one before.
    await put('playbooks', 'contain', 1, { steps: [{ id: 'a', action: 'note' }] });
    await expectForbidden(post('playbooks', { id: 'p', steps }, editor), '/steps/0/playbook/id');
    await put('playbooks', 'contain', 2, { steps: [{ id: 'a', action: 'wipe' }] });
    expect((await post('rules', { id: 'r', ...then({ playbook: 'harmless' }) }, editor)).statusCode).toBe(
      201,
    );
  });

  it.each([
    ['named', [{ id: 'a', action: 'wipe' }], '/steps/0/action'],
    ['embedded', [{ id: 'a', action: inline }], '/steps/0/action/type'],
    [
      'in a branch of a branch',
      [
        {
          id: 'p',
          parallel: {
            branches: [[{ id: 'f', forEach: { items: [1], max: 1, do: [{ id: 'a', action: 'wipe' }] } }]],
          },
        },
      ],
      '/steps/0/parallel/branches/0/0/forEach/do/0/action',
    ],
    [
      'in a compensation',
      [{ id: 'a', action: 'note', compensate: { id: 'undo', action: inline } }],
      '/steps/0/compensate/action/type',
    ],
    [
      'in a handler of errors',
      [{ id: 'a', action: 'note', onError: { run: [{ id: 'b', action: 'wipe' }] } }],
      '/steps/0/onError/run/0/action',
    ],
  ])('no playbook has one %s, switched off or not', async (_, steps, path) => {
    await expectForbidden(post('playbooks', { id: 'steps', steps }, editor), path);
    await expectForbidden(post('playbooks', { id: 'steps', enabled: false, steps }, editor), path);
    const made = await post('playbooks', { steps }, scripter);
    expect([made.statusCode, made.json().error]).toEqual([201, undefined]);
  });

  it('no draft is switched on whose action came later', async () => {
    const draft = { id: 'draft', steps: [{ id: 'a', action: 'later' }] };
    expect((await post('playbooks', { ...draft, enabled: false }, editor)).statusCode).toBe(201);
    await post('actions', { id: 'later', type: 'script', params: {} });
    await expectForbidden(put('playbooks', 'draft', 1, draft, editor), '/steps/0/action');
  });

  it('nobody starts such a playbook by hand, for a dry run either', async () => {
    const operator = await newKey({ role: 'operator' });
    const start = (playbook: string, key: string, body: object = {}) =>
      post(`playbooks/${playbook}/run`, body, key);
    sent.length = 0;
    await expectForbidden(start('contain', operator), '');
    await expectForbidden(start('above', operator, { dry_run: true }), '');
    expect(sent).toEqual([]);
    expect((await start('harmless', operator)).statusCode).toBe(202);
    expect((await start('contain', scripter)).statusCode).toBe(202);
    expect(sent).toHaveLength(2);
  });
});

describe('with the scope', () => {
  const published = async (topic: 'config' | 'playbook-versions', key: string) => {
    const rows = await api.db
      .selectFrom('outbox')
      .select('value')
      .where('topic', '=', topic)
      .where('key', '=', key)
      .execute();
    return rows.map(({ value }) => JSON.parse(value ?? 'null').grants);
  };

  it('T23: records and versions say what was needed and held, and only that', async () => {
    await post('rules', { id: 'by-key', ...then({ action: 'wipe' }, { action: 'note' }) }, scripter);
    await post('rules', { id: 'by-admin', ...then({ action: 'wipe' }) });
    await post('rules', { id: 'plain', ...then({ action: 'note' }) });
    await post('playbooks', { id: 'told', steps: [{ id: 'a', action: 'wipe' }] }, scripter);
    expect(await published('config', 'rule/by-key')).toEqual([['action:script']]);
    expect(await published('config', 'rule/by-admin')).toEqual([['action:script']]);
    expect(await published('config', 'rule/plain')).toEqual([undefined]);
    expect(await published('config', 'action/wipe')).toEqual([['action:script']]);
    expect(await published('config', 'playbook/told')).toEqual([['action:script']]);
    expect(await published('playbook-versions', 'told@1')).toEqual([['action:script']]);
    expect(await published('playbook-versions', 'harmless@1')).toEqual([undefined]);
  });

  it('T23: the store writes down no grant that the writer does not hold', async () => {
    const actor = { id: 'import', scopes: roles.editor };
    const document = { kind: 'action', id: 'x', type: 'script', params: {} } as const;
    const write = (grants: readonly `action:${string}`[]) =>
      api.dependencies.store.write(actor, (writer) => writer.put(document, 'absent', grants));
    await expect(write(['action:script'])).rejects.toThrow('needs the scope action:script');
    await write([]);
    expect(await published('config', 'action/x')).toEqual([undefined]);
  });
});

describe('keys', () => {
  it('are granted the types of the catalogue that are privileged; others are refused by name', async () => {
    for (const scope of ['action:log', 'action:no-such', 'action:', 'write:everything']) {
      const made = await post('keys', { name: 'k', scopes: ['read:rules', scope] });
      const { error } = made.json();
      expect([made.statusCode, error.code, error.issues[0].path]).toEqual([400, 'validation', '/scopes/1']);
      expect(error.issues[0].message).toContain(`${scope} is none of`);
      expect(error.issues[0].message).toContain('action:script');
    }
  });

  it('get none from a role', () => {
    const held = Object.values(roles).flat() as string[];
    expect(held.filter((scope) => scope.startsWith('action:'))).toEqual([]);
  });
});

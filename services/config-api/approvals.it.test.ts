// Approval gates over HTTP: who may decide, what is told at once, and what the state machine says in the end.
import { newDatabase } from '@tocsin/testing/servers.ts';
import { approvalId } from '@tocsin/topologies/domain/playbooks/gate.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';
import { createTestRuns, type TestRuns } from './test-runs.ts';

let api: TestApi;
let runs: TestRuns;
const keys = new Map<string, string>();

const people: Record<string, object> = {
  starter: { role: 'operator', user: 'starter', roles: ['lead'] },
  author: { role: 'approver', user: 'author', roles: ['lead'] },
  alice: { role: 'approver', user: 'alice' },
  lena: { role: 'approver', user: 'lena', roles: ['lead'] },
  lars: { role: 'approver', user: 'lars', roles: ['lead'] },
  dora: { role: 'approver', user: 'dora', roles: ['soc'] },
  mallory: { role: 'approver', user: 'mallory', roles: ['guest'] },
  nameless: { role: 'approver' },
  viewer: { role: 'viewer', user: 'vera', roles: ['lead'] },
};

beforeAll(async () => {
  runs = createTestRuns(
    () => api.db,
    [
      {
        id: 'gate',
        approve: {
          title: 'Isolate {{finding.asset.name}}?',
          message: 'Because of {{finding.title}}',
          by: { anyOf: ['role:lead', 'user:alice'] },
          quorum: { approve: 2, reject: 1 },
          delegate: { to: ['role:soc'] },
          covers: ['isolate'],
        },
        deadline: 'PT4H',
        onReject: { run: [{ id: 'tell', action: 'mail' }] },
      },
      { id: 'isolate', action: 'mail', with: { host: { $: 'finding.asset.name' } } },
    ],
  );
  api = await openTestApi(
    await newDatabase(),
    { producer: runs.producer, playbookHead: async () => ({ revision: 1 }) },
    { decisionWaitMs: 400 },
  );
  for (const [name, body] of Object.entries(people))
    keys.set(
      name,
      (await api.call({ method: 'POST', url: '/api/keys', body: { name, ...body } })).json().key,
    );
});
afterAll(() => api.close());

const as = (name: string) => keys.get(name) as string;

interface Gate {
  readonly id: string;
  readonly digest: string;
  readonly run: string;
}

async function newGate(): Promise<Gate> {
  const event = { event: 'finding.new', data: { title: 'a hole', asset: { name: 'web' } } };
  const url = '/api/playbooks/p/run';
  const { key } = (await api.call({ method: 'POST', url, key: as('starter'), body: { event } })).json();
  const [gate] = (await api.call({ url: `/api/approvals?run=${key}`, key: as('alice') })).json().items;
  return gate;
}

const decide = (gate: Gate, name: string, body: object = {}, headers: Record<string, string> = {}) =>
  api.call({
    method: 'POST',
    url: `/api/approvals/${gate.id}`,
    key: as(name),
    headers,
    body: { decision: 'approve', digest: gate.digest, ...body },
  });
const look = async (gate: Gate, name = 'alice') =>
  (await api.call({ url: `/api/approvals/${gate.id}`, key: as(name) })).json();

it('shows what is decided, by whom, how often and until when', async () => {
  const gate = await newGate();
  const shown = await look(gate);
  expect(shown).toMatchObject({
    playbook: 'p',
    revision: 1,
    step: 'gate',
    title: 'Isolate web?',
    message: 'Because of a hole',
    sends: [{ step: 'isolate', type: 'email', params: { to: 'soc', host: 'web' } }],
    approvers: ['role:lead', 'user:alice'],
    quorum: { approve: 2, reject: 1 },
    delegate_to: ['role:soc'],
    votes: [],
    status: 'open',
    may_decide: true,
  });
  expect(Date.parse(shown.until) - Date.parse(shown.opened_at)).toBe(4 * 3_600_000);
  const requested = runs.produced.findLast(({ value }) => value['event'] === 'approval.requested')?.value;
  const data = requested?.['data'] as Record<string, unknown>;
  expect([data['approval'], approvalId(String(data['token'])), data['digest']]).toEqual([
    gate.id,
    gate.id,
    gate.digest,
  ]);
});

it('A51: two of the named people pass it; the answer says that the vote counts', async () => {
  const gate = await newGate();
  const first = await decide(gate, 'alice', { comment: 'looks right' });
  expect(first.json()).toMatchObject({
    outcome: 'counted',
    approval: { status: 'open', votes: [{ actor: 'alice', verdict: 'approve' }], may_decide: false },
  });
  expect((await decide(gate, 'lena')).json()).toMatchObject({ approval: { status: 'approved' } });
  const run = (await api.call({ url: `/api/runs/${gate.run}` })).json();
  expect(run.waiting).toMatchObject([{ place: 'isolate#0', for: 'action' }]);
  const history = (await api.call({ url: `/api/runs/${gate.run}/history` })).json().items;
  expect(history.filter((each: { what: string }) => each.what === 'vote')).toMatchObject([
    { actor: 'alice', verdict: 'approve', status: 'counted', comment: 'looks right', via: 'api' },
    { actor: 'lena', verdict: 'approve', status: 'counted' },
  ]);
  const trail = (await api.call({ url: `/api/audit?object=approval/${gate.id}` })).json().items;
  expect(trail).toMatchObject([
    { verb: 'approve', actor: 'user:lena', via: expect.stringMatching(/^key:/) },
    { verb: 'approve', actor: 'user:alice', detail: { digest: gate.digest, comment: 'looks right' } },
  ]);
});

it('one no is enough; the gate is closed although its list of onReject still runs', async () => {
  const gate = await newGate();
  const answer = await decide(gate, 'lars', { decision: 'reject' });
  expect(answer.json()).toMatchObject({ outcome: 'counted', approval: { status: 'rejected' } });
  expect((await decide(gate, 'alice')).json().error.code).toBe('closed');
});

describe('refused at once, and nothing is written', () => {
  it.each([
    ['somebody else', 'mallory', {}, 403, 'not_approver'],
    ['self-approval: who started it', 'starter', {}, 403, 'forbidden'],
    ['self-approval: who wrote it', 'author', {}, 403, 'self'],
    ['a key without a user', 'nameless', {}, 403, 'no_user'],
    ['a key without the scope', 'viewer', {}, 403, 'forbidden'],
    ['a stand-in whom nobody asked', 'dora', {}, 403, 'not_approver'],
    ['another digest', 'alice', { digest: 'f'.repeat(64) }, 409, 'digest_mismatch'],
    ['no digest', 'alice', { digest: undefined }, 400, 'validation'],
    ['an unknown field', 'alice', { roles: ['lead'] }, 400, 'validation'],
    ['to without delegate', 'alice', { to: 'dora' }, 400, 'validation'],
    ['delegate without to', 'alice', { decision: 'delegate' }, 400, 'validation'],
    ['delegated to who started it', 'alice', { decision: 'delegate', to: 'starter' }, 403, 'self'],
    ['delegated to oneself', 'alice', { decision: 'delegate', to: 'alice' }, 422, 'not_delegable'],
  ])('%s', async (_title, name, body, status, code) => {
    const gate = await newGate();
    const before = runs.inputs.length;
    const answer = await decide(gate, name, body);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
    expect(runs.inputs.length).toBe(before);
    expect((await look(gate)).votes).toEqual([]);
  });

  it('whoever started the run cannot decide with a key that may', async () => {
    const second = { name: 'x', scopes: ['write:approvals'], user: 'starter', roles: ['lead'] };
    keys.set('again', (await api.call({ method: 'POST', url: '/api/keys', body: second })).json().key);
    const answer = await decide(await newGate(), 'again');
    expect([answer.statusCode, answer.json().error.code]).toEqual([403, 'self']);
  });

  it('twice, with the same key or another one of the same person', async () => {
    const gate = await newGate();
    await decide(gate, 'alice');
    const other = { name: 'x', role: 'approver', user: 'alice', roles: ['lead'] };
    keys.set('alice2', (await api.call({ method: 'POST', url: '/api/keys', body: other })).json().key);
    for (const name of ['alice', 'alice2']) {
      const answer = await decide(gate, name, { decision: 'reject' });
      expect([answer.statusCode, answer.json().error.code]).toEqual([409, 'decided']);
    }
    expect((await look(gate)).votes).toHaveLength(1);
  });

  it('B01, B03: after the end of the gate, after its time, and at a gate that never was', async () => {
    const gate = await newGate();
    await api.call({ method: 'POST', url: `/api/runs/${gate.run}/cancel`, body: {} });
    const closed = await decide(gate, 'alice');
    expect([closed.statusCode, closed.json().error.code]).toEqual([409, 'closed']);
    expect((await look(gate)).status).toBe('cancelled');
    const late = await newGate();
    await api.db
      .updateTable('approvals')
      .set({ until: new Date(Date.now() - 1) })
      .where('id', '=', late.id)
      .execute();
    const expired = await decide(late, 'alice');
    expect([expired.statusCode, expired.json().error.message]).toEqual([
      409,
      expect.stringContaining('expired'),
    ]);
    for (const id of ['f'.repeat(32), 'x', '..%2f', '%00'])
      expect((await decide({ ...gate, id }, 'alice')).statusCode).toBe(404);
  });

  it('a gate whose deadline a pause moves is not closed by it', async () => {
    const gate = await newGate();
    const body = { extend: true };
    await api.call({ method: 'POST', url: `/api/runs/${gate.run}/pause`, body });
    await api.db
      .updateTable('approvals')
      .set({ until: new Date(Date.now() - 1) })
      .where('id', '=', gate.id)
      .execute();
    expect((await decide(gate, 'alice')).json().outcome).toBe('counted');
  });

  it('by GET', async () => {
    const gate = await newGate();
    const before = runs.inputs.length;
    for (const url of [`/api/approvals/${gate.id}?decision=approve`, `/api/approvals/${gate.id}`])
      expect((await api.call({ url, key: as('alice') })).statusCode).toBe(200);
    expect(runs.inputs.length).toBe(before);
  });
});

it('a vote that the projection did not see coming is told as ignored, by the state machine', async () => {
  const gate = await newGate();
  // The run is cancelled and the projection has not heard of it.
  runs.mode = 'hold';
  await api.call({ method: 'POST', url: `/api/runs/${gate.run}/cancel`, body: {} });
  const deciding = decide(gate, 'alice');
  await new Promise((resolve) => setTimeout(resolve, 100));
  await runs.release();
  runs.mode = 'work';
  const answer = await deciding;
  expect([answer.statusCode, answer.json().error]).toMatchObject([
    409,
    { code: 'ignored', message: expect.stringContaining('the run is cancelled') },
  ]);
});

it('B02: approve and reject at once: the no wins or comes too late, and both are told', async () => {
  const gate = await newGate();
  await decide(gate, 'alice');
  const answers = await Promise.all([decide(gate, 'lena'), decide(gate, 'lars', { decision: 'reject' })]);
  const codes = answers.map((answer) => answer.statusCode).sort();
  expect(codes).toEqual([200, 409]);
  expect(['approved', 'rejected']).toContain((await look(gate)).status);
});

it('answers 202 while the engine is silent; the same Idempotency-Key later tells what became of it', async () => {
  const gate = await newGate();
  const headers = { 'idempotency-key': 'my-vote' };
  runs.mode = 'hold';
  const pending = await decide(gate, 'alice', {}, headers);
  expect([pending.statusCode, pending.json().outcome]).toEqual([202, 'pending']);
  await runs.release();
  runs.mode = 'work';
  const again = await decide(gate, 'alice', {}, headers);
  expect(again.json()).toMatchObject({ outcome: 'counted', decision_id: pending.json().decision_id });
  expect((await look(gate)).votes).toHaveLength(1);
});

it('answers 503 when the log does not take it, and the gate stays open', async () => {
  const gate = await newGate();
  runs.mode = 'fail';
  const refused = await decide(gate, 'alice');
  runs.mode = 'work';
  expect(refused.statusCode).toBe(503);
  expect((await decide(gate, 'alice')).json().outcome).toBe('counted');
});

it('a delegate decides instead; whoever delegated has no vote any more', async () => {
  const gate = await newGate();
  expect(
    (await decide(gate, 'alice', { decision: 'delegate', to: 'dora' })).json().approval.delegates,
  ).toEqual({
    alice: 'dora',
  });
  expect((await decide(gate, 'alice')).json().error.code).toBe('delegated');
  expect((await decide(gate, 'dora')).json().outcome).toBe('counted');
});

describe('the list of open gates', () => {
  it('is paged, oldest first, each once', async () => {
    for (let index = 0; index < 3; index += 1) await newGate();
    const seen = (await api.pages<Gate>('/api/approvals')).flat().map(({ id }) => id);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('mine=true has what the gates themselves say, for everybody', async () => {
    const voted = await newGate();
    await decide(voted, 'alice');
    const delegated = await newGate();
    await decide(delegated, 'lena', { decision: 'delegate', to: 'dora' });
    for (const name of ['starter', 'author', 'alice', 'lena', 'lars', 'dora', 'mallory']) {
      const all = (await api.call({ url: '/api/approvals?limit=200', key: as(name) })).json().items;
      const mine = (await api.call({ url: '/api/approvals?limit=200&mine=true', key: as(name) })).json()
        .items;
      const ids = (list: { id: string }[]) => list.map(({ id }) => id);
      expect(ids(mine), name).toEqual(ids(all.filter((each: { may_decide: boolean }) => each.may_decide)));
    }
    const doras = (await api.call({ url: '/api/approvals?mine=true', key: as('dora') })).json().items;
    expect(doras.map(({ id }: Gate) => id)).toContain(delegated.id);
    expect((await api.call({ url: '/api/approvals?mine=true', key: as('nameless') })).json().error.code).toBe(
      'no_user',
    );
  });
});

describe('keys of people', () => {
  const make = (body: object, key?: string) =>
    api.call({
      method: 'POST',
      url: '/api/keys',
      body: { name: 'k', role: 'viewer', ...body },
      ...(key === undefined ? {} : { key }),
    });

  it.each([
    [{ roles: ['lead'] }, '/roles'],
    [{ user: 'Alice' }, '/user'],
    [{ user: 'role:lead' }, '/user'],
    [{ user: '' }, '/user'],
    [{ user: 'x', roles: ['a b'] }, '/roles/0'],
    [{ user: 'x', roles: 'lead' }, '/roles'],
  ])('%j makes no key', async (body, path) => {
    const answer = await make(body);
    expect([answer.statusCode, answer.json().error.issues[0].path]).toEqual([400, path]);
  });

  it('T24: only an administrator says who somebody is; the list shows it', async () => {
    expect((await make({ user: 'eve', roles: ['lead'] }, as('lena'))).statusCode).toBe(403);
    const made = (await make({ user: 'carla', roles: ['lead', 'ciso'] })).json();
    expect(made).toMatchObject({ user: 'carla', roles: ['lead', 'ciso'] });
    const trail = (await api.call({ url: `/api/audit?object=key/${made.id}` })).json().items;
    expect(trail[0].detail).toMatchObject({ user: 'carla', roles: ['lead', 'ciso'] });
  });

  it('documents that a person writes name the person', async () => {
    const editor = (await make({ role: 'editor', user: 'edda' })).json().key;
    const body = { id: 'of-edda', type: 'log', params: {} };
    const made = await api.call({ method: 'POST', url: '/api/actions', key: editor, body });
    expect(made.json().updated_by).toBe('user:edda');
  });
});

// Rules are tried before they are trusted: tests inside a rule on save, warnings in the answer, explanations.
import { postgresUrl } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi(await postgresUrl());
  await api.call({ method: 'POST', url: '/api/actions', body: { id: 'log', type: 'log', params: {} } });
  const list = { id: 'kev', comparison: 'identifier', values: ['CVE-2024-3094'] };
  expect((await api.call({ method: 'POST', url: '/api/lists', body: list })).statusCode).toBe(201);
});
afterAll(() => api.close());

const finding = (data: object) => ({ event: 'finding.new', data });
const rule = (id: string, more: object) => ({
  id,
  when: { events: ['finding.new'], min_severity: 'high' },
  then: [{ action: 'log' }],
  ...more,
});
const save = (body: object) => api.call({ method: 'POST', url: '/api/rules', body });

describe('tests inside a rule', () => {
  const tests = [
    { event: finding({ severity: 'critical' }), expect: 'match' },
    { name: 'low is left alone', event: finding({ severity: 'low' }), expect: 'no_match' },
  ];

  it('saves a rule whose tests hold', async () => {
    expect((await save(rule('tested', { tests }))).statusCode).toBe(201);
  });

  it('refuses one whose tests fail, with the place and what happened', async () => {
    const failing = [...tests, { event: finding({ severity: 'low' }), expect: 'match' }];
    const answer = await save(rule('failing', { tests: failing }));
    expect([answer.statusCode, answer.json()]).toEqual([
      422,
      {
        error: {
          code: 'tests_failed',
          message: expect.stringContaining('expected a match'),
          issues: [
            {
              path: '/tests/2',
              message:
                'expected a match, but it does not match; /when/min_severity does not hold: "high", found "low"',
            },
          ],
        },
      },
    ]);
    expect((await api.call({ url: '/api/rules/failing' })).statusCode).toBe(404);
  });

  it('keeps the revision in force when a change fails its tests', async () => {
    const body = rule('tested', { when: { min_severity: 'low' }, tests });
    const answer = await api.call({
      method: 'PUT',
      url: '/api/rules/tested',
      body,
      headers: { 'if-match': '"1"' },
    });
    expect([answer.statusCode, answer.json().error.issues[0].path]).toEqual([422, '/tests/1']);
    expect((await api.call({ url: '/api/rules/tested' })).json().revision).toBe(1);
  });

  it('asks lists as they are stored', async () => {
    const when = { vulnerabilities: { in_list: 'kev' } };
    const test = (cve: string, expected: string) => ({ event: finding({ cve }), expect: expected });
    const held = await save(
      rule('listed', { when, tests: [test('cve-2024-3094', 'match'), test('CVE-1-1', 'no_match')] }),
    );
    expect(held.statusCode).toBe(201);
    const refused = await save(rule('listed-2', { when, tests: [test('CVE-1-1', 'match')] }));
    expect(refused.json().error.issues[0].path).toBe('/tests/0');
  });

  it('refuses tests that cannot be asked', async () => {
    const answer = await save(rule('row', { tests: [{ row: {}, expect: 'match' }] }));
    expect(answer.json().error.issues).toEqual([
      { path: '/tests/0/row', message: 'the rule looks at events: write event' },
    ]);
    const shape = await save(rule('shape', { tests: [{ event: {}, expect: 'maybe' }] }));
    expect(shape.statusCode).toBe(400);
  });
});

describe('warnings', () => {
  it('come with the answer of a write and refuse nothing', async () => {
    const when = { events: ['finding.new'], any: [{ 'data.a': { in: [1], gt: 5 } }, { 'data.b': 1 }] };
    const answer = await save(rule('odd', { when }));
    expect([answer.statusCode, answer.json().warnings]).toEqual([
      201,
      [{ path: '/when/any/0', message: 'this can never hold', severity: 'warning', code: 'never-holds' }],
    ]);
    const put = await api.call({
      method: 'PUT',
      url: '/api/rules/odd',
      body: rule('odd', { when: { not: { 'data.a': 1 } } }),
      headers: { 'if-match': '"1"' },
    });
    expect(put.json().warnings).toMatchObject([{ path: '/when', severity: 'info', code: 'every-event' }]);
    expect((await save(rule('fine', {}))).json().warnings).toEqual([]);
    expect((await api.call({ url: '/api/rules/odd' })).json()).not.toHaveProperty('warnings');
  });
});

describe('explain', () => {
  const explain = (body: unknown, key = api.adminKey) =>
    api.call({ method: 'POST', url: '/api/rules/explain', body, key });

  it('a stored rule', async () => {
    const answer = await explain({ id: 'tested', event: finding({ severity: 'medium' }) });
    expect([answer.statusCode, answer.json()]).toMatchObject([
      200,
      {
        matches: false,
        revision: 1,
        reasons: ['/when/min_severity does not hold: "high", found "medium"'],
        explanation: {
          path: '/when',
          holds: false,
          parts: [
            { path: '/when/events', holds: true },
            {
              path: '/when/min_severity',
              holds: false,
              wanted: '"high"',
              found: { count: 1, elements: ['"medium"'] },
            },
          ],
        },
      },
    ]);
  });

  it('a rule that is being written, with lists and another moment', async () => {
    const draft = {
      when: { 'data.cve': { in_list: 'kev' }, 'data.seen': { after: 'now-1d' } },
      then: [{ action: 'x' }],
    };
    const event = finding({ cve: 'CVE-2024-3094', seen: '2026-01-01T00:00:00Z' });
    expect((await explain({ rule: draft, event, now: '2026-01-01T12:00:00Z' })).json().matches).toBe(true);
    expect((await explain({ rule: draft, event })).json().matches).toBe(false);
  });

  it('rows', async () => {
    const rows = { source: 'search-results', when: { n: 1, 'search.job_id': 'j' }, then: [{ action: 'x' }] };
    expect((await explain({ rule: rows, row: { n: 1 }, search: { job_id: 'j' } })).json().matches).toBe(true);
    expect((await explain({ rule: rows, row: { n: 1 } })).json().matches).toBe(false);
  });

  it('a viewer may, without a key nobody', async () => {
    const made = await api.call({ method: 'POST', url: '/api/keys', body: { name: 'v', role: 'viewer' } });
    const body = { id: 'tested', event: finding({}) };
    expect((await explain(body, made.json().key)).statusCode).toBe(200);
    const none = await api.call({ method: 'POST', url: '/api/rules/explain', body, key: null });
    expect(none.statusCode).toBe(401);
  });

  it.each([
    ['a rule that is not there', { id: 'gone', event: finding({}) }, 404, undefined],
    ['neither id nor rule', { event: finding({}) }, 422, ''],
    ['both', { id: 'tested', rule: {}, event: finding({}) }, 422, ''],
    ['a rule with a fault', { rule: rule('r', { when: { x: 1 } }), event: finding({}) }, 422, '/rule/when/x'],
    ['no event', { id: 'tested' }, 422, ''],
    ['a row for a rule over events', { id: 'tested', row: {} }, 422, ''],
    ['no envelope', { id: 'tested', event: {} }, 422, '/event/event'],
    ['a moment that is none', { id: 'tested', event: finding({}), now: 'soon' }, 422, '/now'],
    ['an unknown member', { id: 'tested', event: finding({}), rows: [] }, 400, '/rows'],
  ])('%s is refused', async (_what, body, status, path) => {
    const answer = await explain(body);
    expect([answer.statusCode, answer.json().error.issues[0]?.path]).toEqual([status, path]);
  });
});

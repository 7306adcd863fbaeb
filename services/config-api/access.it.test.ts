// Who may use which route: every route against every role, from the routes that the application really has.
// A route without a line here fails the test, as does a line without a route.
import { roles } from '@tocsin/adapters/postgres/access.ts';
import { newDatabase } from '@tocsin/testing/servers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApi, type TestApi } from './test-api.ts';

const everyone = ['viewer', 'editor', 'operator', 'approver', 'admin'] as const;
const operators = ['operator', 'admin'] as const;
const approvers = ['approver', 'admin'] as const;
const editors = ['editor', 'admin'] as const;
const admins = ['admin'] as const;

/** `link`: no key; what the path holds is the credential. */
type Expected = readonly (keyof typeof roles)[] | 'public' | 'link';

function document(resource: string, writers: Expected): Record<string, Expected> {
  return {
    [`GET /api/${resource}`]: everyone,
    [`POST /api/${resource}`]: writers,
    [`GET /api/${resource}/:id`]: everyone,
    [`PUT /api/${resource}/:id`]: writers,
    [`DELETE /api/${resource}/:id`]: writers,
    [`GET /api/${resource}/:id/revisions`]: everyone,
  };
}

const table: Record<string, Expected> = {
  'GET /health': 'public',
  ...document('rules', editors),
  ...document('actions', editors),
  ...document('sinks', editors),
  ...document('lists', editors),
  ...document('playbooks', editors),
  ...document('connections', admins),
  'POST /api/connections/:id/test': admins,
  'POST /api/rules/explain': everyone,
  'POST /api/templates/preview': everyone,
  'GET /api/secrets/:id': everyone,
  'PUT /api/secrets/:id': admins,
  'GET /api/keys': admins,
  'POST /api/keys': admins,
  'DELETE /api/keys/:id': admins,
  'GET /api/action-types': everyone,
  'GET /api/sink-types': everyone,
  'GET /api/actions/:id/executions': everyone,
  'GET /api/executions/:command_id': everyone,
  'GET /api/lag': everyone,
  'GET /api/webhooks': everyone,
  'POST /api/webhooks': admins,
  'GET /api/webhooks/:id': everyone,
  'PUT /api/webhooks/:id': admins,
  'PATCH /api/webhooks/:id': admins,
  'DELETE /api/webhooks/:id': admins,
  'POST /api/webhooks/:id/resume': admins,
  'POST /api/webhooks/:id/secret/rotate': admins,
  'POST /api/webhooks/:id/test': admins,
  'GET /api/webhooks/:id/deliveries': everyone,
  'GET /api/webhooks/:id/deliveries/:delivery': everyone,
  'POST /api/webhooks/:id/deliveries/:delivery/redeliver': admins,
  'GET /api/integrations/siem': everyone,
  'POST /api/integrations/siem': admins,
  'GET /api/integrations/siem/:id': everyone,
  'PUT /api/integrations/siem/:id': admins,
  'PATCH /api/integrations/siem/:id': admins,
  'DELETE /api/integrations/siem/:id': admins,
  'POST /api/integrations/siem/:id/test': admins,
  'POST /api/playbooks/:id/run': operators,
  'GET /api/runs': everyone,
  'GET /api/runs/:key': everyone,
  'GET /api/runs/:key/history': everyone,
  'GET /api/runs/:key/export': everyone,
  'POST /api/runs/:key/pause': operators,
  'POST /api/runs/:key/resume': operators,
  'POST /api/runs/:key/cancel': operators,
  'POST /api/runs/:key/retry': operators,
  'POST /api/runs/:key/skip': operators,
  'POST /api/runs/operate': operators,
  'GET /api/approvals': everyone,
  'GET /api/approvals/:id': everyone,
  'POST /api/approvals/:id': approvers,
  'POST /api/approvals/:id/links': admins,
  'GET /approve/:link': 'link',
  'POST /approve/:link': 'link',
  'GET /api/audit': approvers,
  'GET /api/audit/verify': approvers,
  'GET /api/audit/export': approvers,
  'GET /api/incidents': everyone,
  'GET /api/incidents/:id': everyone,
  'GET /api/incidents/:id/history': everyone,
  'POST /api/incidents/:id/status': operators,
  'POST /api/incidents/:id/assign': operators,
  'POST /api/incidents/:id/comments': operators,
  'PATCH /api/incidents/:id': operators,
  'GET /api/risk': everyone,
  'GET /api/risk/top': everyone,
  'GET /api/mitre/records': everyone,
  'GET /api/mitre/layers': everyone,
  'GET /api/mitre/layers/:id': everyone,
  'GET /api/dead-letters': everyone,
  'GET /api/dead-letters/counts': everyone,
  'GET /api/dead-letters/:id': everyone,
  'GET /api/dead-letters/:id/value': everyone,
  'POST /api/dead-letters/:id/redrive': operators,
  'POST /api/dead-letters/:id/purge': operators,
  'POST /api/dead-letters/redrive': operators,
  'POST /api/dead-letters/purge': operators,
  'POST /api/dead-letters/jobs/:job/cancel': operators,
  'GET /api/events/stream': everyone,
  'GET /docs': everyone,
  'GET /docs/json': everyone,
  'GET /docs/yaml': everyone,
  'GET /docs/static/index.html': everyone,
  'GET /docs/static/swagger-initializer.js': everyone,
  'GET /docs/static/*': everyone,
  'HEAD /docs/static/*': everyone,
};

let api: TestApi;
const keys = new Map<string, string | null>([['nobody', null]]);
beforeAll(async () => {
  api = await openTestApi(await newDatabase());
  for (const role of everyone) {
    const made = await api.call({ method: 'POST', url: '/api/keys', body: { name: role, role, user: role } });
    keys.set(role, made.json().key);
  }
});
afterAll(() => api.close());

const bodies: Record<string, unknown> = {
  '/api/rules': { match_all: true, then: [{ action: 'none' }] },
  '/api/actions': { type: 'log', params: {} },
  '/api/connections': { type: 'http', host: 'h.example' },
  '/api/sinks': { type: 'splunk-hec', connection: 'none', params: {} },
  '/api/playbooks': { steps: [{ id: 'a', set: {} }] },
  '/api/secrets': { value: 'a-good-secret' },
  '/api/keys': { name: 'x', role: 'viewer' },
  '/api/playbooks/:id/run': {},
  '/api/runs': { step: 'x' },
  '/api/runs/operate': { verb: 'cancel', filter: { playbook: 'none' } },
  '/api/incidents/:id': { title: 'x' },
  '/api/incidents/:id/status': { status: 'New' },
  '/api/incidents/:id/assign': { assignee: null },
  '/api/incidents': { comment: 'x' },
  '/api/approvals': { decision: 'approve', digest: 'x' },
  '/api/approvals/:id/links': { user: 'alice' },
};

it('T06 has a line for every route and a route for every line', () => {
  const real = api.routes.map((route) => `${route.method} ${route.url}`);
  expect([...new Set(real)].sort()).toEqual(Object.keys(table).sort());
});

it('asks for no key in one place, and takes what the path holds instead of one in two', () => {
  const without = (access: string) =>
    api.routes.filter((route) => route.access === access).map((route) => `${route.method} ${route.url}`);
  expect(without('public')).toEqual(['GET /health']);
  expect(without('link').sort()).toEqual(['GET /approve/:link', 'POST /approve/:link']);
});

describe.each(Object.entries(table))('%s', (route, expected) => {
  it.each(['nobody', ...everyone])('as %s', async (role) => {
    const [method = '', pattern = ''] = route.split(' ');
    const url = pattern
      .replace(':id', 'unknown1')
      .replace(':key', 'f'.repeat(32))
      .replace(':link', 'A'.repeat(86))
      .replace(':command_id', 'f'.repeat(32))
      .replace('*', 'index.css');
    const body = ['POST', 'PUT', 'PATCH'].includes(method)
      ? (bodies[pattern] ?? bodies[/^\/api\/\w+/.exec(pattern)?.[0] ?? ''])
      : undefined;
    const response = await api.call({ method, url, key: keys.get(role) as string | null, body });
    if (expected === 'public' || expected === 'link' || (expected as readonly string[]).includes(role)) {
      expect([401, 403]).not.toContain(response.statusCode);
      expect(response.statusCode).toBeLessThan(500);
    } else {
      expect(response.statusCode).toBe(role === 'nobody' ? 401 : 403);
      expect(response.headers['www-authenticate'] !== undefined).toBe(role === 'nobody');
    }
  });
});

it('checks writes in the store too, for ways in that are no route', async () => {
  const actor = { id: 'import', scopes: roles.viewer };
  const document = { kind: 'action', id: 'x', type: 'log', params: {} } as const;
  await expect(api.dependencies.store.write(actor, (writer) => writer.put(document))).rejects.toThrow(
    'write:actions',
  );
  await expect(api.dependencies.store.write(actor, (writer) => writer.remove('action', 'x'))).rejects.toThrow(
    'write:actions',
  );
});

it('answers unknown paths without a key like known ones', async () => {
  const response = await api.call({ url: '/api/no-such', key: null });
  expect(response.statusCode).toBe(401);
  expect((await api.call({ url: '/api/no-such' })).json().error.code).toBe('not_found');
});

// Jira as a receiver: what its documented requests give, who is refused, and that an effect is there before its answer.
// Requests are those of docs.atlassian.com, Jira 9 REST v2.
import { afterEach, expect, it } from 'vitest';
import { type JiraReceiver, startJiraReceiver } from './jira.ts';

let receiver: JiraReceiver;
afterEach(() => receiver.close());

const headers = { authorization: 'Bearer x', 'content-type': 'application/json' };
const ask = async (path: string, body?: unknown): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(
    `${receiver.url}/rest/api/2${path}`,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  );
  return { status: response.status, body: await response.json() };
};
const fields = { project: { key: 'SEC' }, issuetype: { name: 'Task' }, summary: 'one', labels: ['mark1'] };
const search = (label: string) => `/search?jql=${encodeURIComponent(`labels = "${label}"`)}&fields=status`;

it('makes an issue, finds it by its label, takes a comment, and refuses who has no credentials', async () => {
  receiver = await startJiraReceiver();
  expect(await ask('/issue', { fields })).toMatchObject({ status: 201, body: { key: 'SEC-1' } });
  expect(await ask(search('mark1'))).toMatchObject({ status: 200, body: { issues: [{ key: 'SEC-1' }] } });
  expect(await ask(search('mark2'))).toMatchObject({ status: 200, body: { issues: [] } });
  expect(await ask('/issue/SEC-1/comment', { body: 'seen' })).toMatchObject({ status: 201 });
  expect(receiver.jira.comments('SEC-1')).toEqual(['"seen"']);
  const refused = await fetch(`${receiver.url}/rest/api/2/issue`, {
    method: 'POST',
    body: JSON.stringify({ fields }),
  });
  expect(refused.status).toBe(401);
  expect(receiver.jira.refs()).toEqual(['SEC-1']);
  expect(receiver.requests.map(({ method, status }) => [method, status])).toEqual([
    ['POST', 201],
    ['GET', 200],
    ['GET', 200],
    ['POST', 201],
    ['POST', 401],
  ]);
});

it('has the issue when whoever asked for it goes away before the answer', async () => {
  receiver = await startJiraReceiver({ answerDelayMs: 60_000, lagMs: 300 });
  const gone = new AbortController();
  const asking = fetch(`${receiver.url}/rest/api/2/issue`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ fields }),
    signal: gone.signal,
  });
  await expect.poll(() => receiver.requests.length).toBe(1);
  gone.abort();
  await expect(asking).rejects.toThrow();
  expect(receiver.jira.refs()).toEqual(['SEC-1']);
  expect(await ask(search('mark1'))).toMatchObject({ body: { issues: [] } });
  await expect.poll(() => ask(search('mark1'))).toMatchObject({ body: { issues: [{ key: 'SEC-1' }] } });
});

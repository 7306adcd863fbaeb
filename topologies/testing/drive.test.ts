// A finding travels through the whole system in memory: decided, carried out, recorded; also through crashes.

import type { Result } from '@tocsin/schemas/types.ts';
import { describe, expect, test } from 'vitest';
import type { ConfigDocument } from '../domain/config/config-table.ts';
import { topics } from '../topics.ts';
import { startDrive } from './drive.ts';

const documents: ConfigDocument[] = [
  {
    kind: 'connection',
    id: 'hook',
    type: 'http',
    host: 'hooks.example.com',
    secrets: { hmac: { env: 'HMAC' } },
  },
  {
    kind: 'connection',
    id: 'relay',
    type: 'smtp',
    host: 'mail.example.com',
    from: 'soc@example.com',
    security: 'none',
  },
  { kind: 'action', id: 'notify', type: 'webhook', connection: 'hook', params: { path: '/in' } },
  {
    kind: 'action',
    id: 'mail',
    type: 'email',
    connection: 'relay',
    params: { to: 'ciso@example.com', subject: '{{row_count}} rows', body: 'see {{host}}' },
  },
  { kind: 'action', id: 'write', type: 'log', params: {} },
  {
    kind: 'rule',
    id: 'critical',
    when: { events: ['finding.new'], min_severity: 'high' },
    then: [{ action: 'notify' }, { action: 'write' }],
  },
  {
    kind: 'rule',
    id: 'logins',
    source: 'search-results',
    when: { failed: { gte: 50 } },
    run: 'once',
    then: [{ action: 'mail' }, { action: 'notify' }],
  },
];
const secrets = { HMAC: 'a-secret-of-enough-bytes' };

const finding = {
  id: 'evt-1',
  event: 'finding.new',
  timestamp: '2026-04-28T12:00:00Z',
  data: {
    finding_id: 'f-91827',
    title: 'SQL Injection in /api/login',
    severity: 'critical',
    asset: { id: 'a-1001' },
  },
};
const search = {
  job_id: 'j',
  run_id: 'r1',
  rows: [
    { host: 'dc-01', failed: 412 },
    { host: 'dc-02', failed: 7 },
    { host: 'dc-03', failed: 97 },
  ],
};

const finals = (drive: Awaited<ReturnType<typeof startDrive>>): Result[] =>
  (drive.read(topics.results) as Result[]).filter(({ final }) => final);

describe('one finding', () => {
  test('reaches its receivers once, signed, with its id, and leaves a history', async () => {
    const drive = await startDrive({ documents, secrets });
    await drive.publish(topics.findings, finding, 'a-1001');
    await drive.advance(1_000);
    expect(drive.http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST https://hooks.example.com/in',
    ]);
    const headers = Object.fromEntries(
      drive.http.requests[0]!.headers.map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect(headers['webhook-signature']).toMatch(/^v1,/);
    expect(JSON.parse(String(drive.http.requests[0]!.body))).toEqual(finding);
    expect(drive.lineLog.lines.length).toBe(1);
    expect(
      finals(drive)
        .map(({ type, status }) => [type, status])
        .sort(),
    ).toEqual([
      ['log', 'succeeded'],
      ['webhook', 'succeeded'],
    ]);
    expect(finals(drive).map(({ command_id }) => command_id)).toContain(headers['webhook-id']);
    const events = (drive.read(topics.events) as { event: string }[]).map(({ event }) => event).sort();
    expect(events).toEqual(['action.completed', 'action.completed', 'action.triggered', 'action.triggered']);
    await drive.stop();
  });

  test('a search result once: one mail over the matching rows, one webhook for the first', async () => {
    const drive = await startDrive({ documents, secrets });
    await drive.publish(topics.searchResults, search, 'j');
    await drive.advance(1_000);
    expect(drive.mail.sent.map(({ message }) => [message.to, message.subject])).toEqual([
      [['ciso@example.com'], '2 rows'],
    ]);
    expect(drive.http.requests.map(({ body }) => JSON.parse(String(body)))).toEqual([search.rows[0]]);
    expect(finals(drive).find(({ type }) => type === 'webhook')).toMatchObject({ mode: 'first', rows: 1 });
    await drive.stop();
  });

  test('what no rule wants and what cannot be read are told apart', async () => {
    const drive = await startDrive({ documents, secrets });
    await drive.publish(topics.findings, { ...finding, data: { severity: 'low' } });
    await drive.publish(topics.findings, '{"event":"finding.new","data":{"severity":"crit');
    await drive.advance(1_000);
    expect(finals(drive)).toEqual([]);
    expect(drive.log.records(topics.deadLetters.name).length).toBe(1);
    await drive.stop();
  });
});

test('a sink forwards every event in the envelope of its receiver, and one bad record stops nobody', async () => {
  const drive = await startDrive({
    documents: [
      {
        kind: 'connection',
        id: 'splunk',
        type: 'http',
        host: 'splunk.example.com',
        port: 8088,
        auth: { type: 'splunk' },
        secrets: { token: { env: 'TOKEN' } },
      },
      { kind: 'sink', id: 'splunk', type: 'splunk-hec', connection: 'splunk', params: { index: 'security' } },
    ],
    secrets: { TOKEN: 'hec-token' },
    http: { status: 200, body: '{"text":"Success","code":0}' },
  });
  await drive.publish(topics.findings, finding);
  await drive.publish(topics.findings, '1},{"event":"forged"');
  await drive.publish(topics.findings, { ...finding, id: 'evt-2' });
  await drive.advance(5_000);
  const bodies = drive.http.requests.map(({ body }) => String(body)).join('');
  expect(bodies.match(/"event":\{"id":"evt-[12]"/g)?.length).toBe(2);
  expect(bodies).toContain('"index":"security"');
  expect(bodies).not.toContain('forged');
  expect(drive.http.requests[0]?.headers).toContainEqual(['authorization', 'Splunk hec-token']);
  const reasons = drive.log
    .records(topics.deadLetters.name)
    .map(({ headers }) => headers.find(([name]) => name === 'x-dlq-service')?.[1].toString());
  expect(reasons.sort()).toEqual(['evaluator', 'sinks/splunk']);
  await drive.stop();
});

describe('crashes', () => {
  test('a receiver that is down for an hour gets everything, once each', async () => {
    let down = true;
    const drive = await startDrive({ documents, secrets, http: () => (down ? 503 : 200) });
    for (let index = 0; index < 20; index += 1)
      await drive.publish(topics.findings, { ...finding, id: `evt-${index}` }, `a-${index}`);
    await drive.advance(60_000);
    expect(finals(drive).filter(({ type }) => type === 'log').length).toBe(20);
    down = false;
    const before = drive.http.requests.length;
    await drive.advance(3_600_000);
    const delivered = drive.http.requests
      .slice(before)
      .map(({ headers }) => headers.find(([name]) => name === 'webhook-id')?.[1]);
    expect(new Set(delivered).size).toBe(20);
    expect(delivered.length).toBe(20);
    await drive.stop();
  });

  test('a receiver that wants an hour between attempts gets its hour, through crashes of the worker', async () => {
    const answers = [{ status: 429, headers: { 'retry-after': '3600' } }, { status: 401 }];
    const at: number[] = [];
    const drive = await startDrive({
      documents,
      secrets,
      http: () => {
        at.push(drive.clock.now());
        return answers[at.length - 1] ?? 200;
      },
    });
    await drive.publish(topics.findings, finding, 'a-1001');
    await drive.advance(1_000);
    expect(drive.log.records(topics.timers.name).length).toBe(1);
    for (let crash = 0; crash < 3; crash += 1) {
      await drive.crash('webhook');
      await drive.advance(20 * 60_000);
      if (crash < 2) expect(at.length).toBe(1);
    }
    await drive.advance(3_600_000);
    expect(at.length).toBe(3);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(3_600_000);
    expect(finals(drive).filter(({ type }) => type === 'webhook')).toMatchObject([{ status: 'succeeded' }]);
    await drive.stop();
  }, 60_000);

  test('a connection that is mended is used at once', async () => {
    const drive = await startDrive({
      documents,
      secrets,
      http: ({ url }) => (url.startsWith('https://new.example.com') ? 200 : 401),
    });
    await drive.publish(topics.findings, finding, 'a-1001');
    await drive.advance(100_000);
    drive.configure({ ...documents[0], host: 'new.example.com' } as ConfigDocument, 2);
    await drive.advance(1_500);
    expect(finals(drive).filter(({ type }) => type === 'webhook')).toMatchObject([
      { status: 'succeeded', attempt: 1 },
    ]);
    await drive.stop();
  });

  test('services that are killed again and again lose nothing and act once under one id', async () => {
    const drive = await startDrive({ documents, secrets });
    for (let round = 0; round < 10; round += 1) {
      await drive.publish(topics.findings, { ...finding, id: `evt-${round}` }, `a-${round}`);
      if (round % 2 === 0) await drive.crash('evaluator');
      await drive.advance(10);
      if (round % 3 === 0) await drive.crash('webhook');
      if (round % 3 === 1) await drive.crash('log');
      await drive.advance(200);
    }
    await drive.advance(60_000);
    const ids = finals(drive)
      .filter(({ status, type }) => status === 'succeeded' && type === 'webhook')
      .map(({ command_id }) => command_id);
    expect(new Set(ids).size).toBe(10);
    await drive.stop();
  });

  test('an edited rule counts from the next record on and names its revision', async () => {
    const drive = await startDrive({ documents, secrets });
    await drive.publish(topics.findings, finding);
    await drive.advance(100);
    drive.configure(
      { kind: 'rule', id: 'critical', when: { events: ['finding.new'] }, then: [{ action: 'write' }] },
      2,
    );
    await drive.publish(topics.findings, { ...finding, id: 'evt-2', data: { severity: 'low' } });
    await drive.advance(100);
    expect(drive.http.requests.length).toBe(1);
    expect(
      finals(drive)
        .map(({ rule }) => (rule as { revision: number }).revision)
        .sort(),
    ).toEqual([1, 1, 2]);
    await drive.stop();
  });
});

// A backtest over a real Kafka, on both clients: the difference is right, and it leaves no trace behind.
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { kafkaBrokers } from '@tocsin/testing/servers.ts';
import { topicSpec } from '@tocsin/topologies/all-topics.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../home.ts';
import { runRules } from './rules.ts';
import { rulesBacktest } from './rules-backtest.ts';

const topic = `backtest-${randomUUID().slice(0, 8)}`;
const group = `${topic}-group`;
const at = (day: number): number => Date.UTC(2026, 3, day, 12);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backtest-'));
});
afterAll(() => rm(folder, { recursive: true }));

const rule = (id: string, severity: string) => ({
  kind: 'rule',
  id,
  when: { min_severity: severity, exclude: ['finding.info'] },
  then: [{ action: 'log' }],
});

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const events = [
  { id: 'old', severity: 'critical', day: 1 },
  { id: 'a', severity: 'critical', day: 10 },
  { id: 'b', severity: 'high', day: 10 },
  { id: 'c', severity: 'high', day: 11 },
  { id: 'd', severity: 'low', day: 11 },
  { id: 'late', severity: 'critical', day: 20 },
];

async function groups(client: 'platformatic' | 'kafkajs'): Promise<string[]> {
  const { kafkajs } = await import('@tocsin/adapters/log/kafkajs/library.ts');
  const kafka = new kafkajs.Kafka({
    brokers: kafkaBrokers().split(','),
    clientId: `groups-${client}`,
    logLevel: 0,
  });
  const admin = kafka.admin();
  await admin.connect();
  const found = await admin.listGroups();
  await admin.disconnect();
  return found.groups.map(({ groupId }) => groupId).sort();
}

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const code = await rulesBacktest(args, io, { KAFKA_BROKERS: kafkaBrokers(), ...env });
  return { code, out, err };
}

describe.each(['platformatic', 'kafkajs'] as const)('on %s', (client) => {
  const log = () =>
    openLogClient(parseLogSettings({ KAFKA_BROKERS: kafkaBrokers(), KAFKA_CLIENT: client }, 'test'));
  const name = `${topic}-${client}`;

  beforeAll(async () => {
    const admin = (await log()).admin();
    const spec = { partitions: 3, replicationFactor: 1, config: {} };
    await admin.ensureTopics([
      { name, ...spec },
      { ...spec, name: topics.config.name, partitions: 1, config: { 'cleanup.policy': 'compact' } },
    ]);
    await admin.close();
    const producer = (await log()).producer();
    for (const { id, severity, day } of events)
      await producer.send([
        {
          topic: name,
          key: id,
          value: JSON.stringify({ id, event: 'finding.new', data: { severity } }),
          timestamp: at(day),
        },
      ]);
    await producer.send([{ topic: name, key: 'x', value: 'no json', timestamp: at(10) }]);
    await producer.close();
  });

  it('shows the difference, commits nothing and leaves no group behind', async () => {
    // A group with a committed offset of its own, to see that it stays where it is.
    const consumer = (await log()).consumer({
      group,
      topics: [name],
      commitIntervalMs: 50,
      drainMs: 500,
      handler: {
        onBatch: async (batch, assignment) => assignment.complete(batch.offset(0), batch.offset(0) + 1),
      },
    });
    await consumer.start();
    await new Promise((done) => setTimeout(done, 500));
    await consumer.stop();
    const admin = (await log()).admin();
    const committed = async () => (await admin.lag(group, [name])).map((each) => each.committed).sort();
    const ends = async () => [...(await admin.endOffsets(name)).values()].sort();
    const before = { groups: await groups(client), committed: await committed(), ends: await ends() };
    expect(before.committed.some((offset) => offset > 0)).toBe(true);

    const candidate = await file('candidate.json', rule('severe', 'high'));
    const config = await mkdtemp(join(folder, 'config-'));
    await writeFile(join(config, 'live.json'), JSON.stringify(rule('severe', 'critical')));
    const range = ['--from', '2026-04-05', '--to', '2026-04-20T00:00:00Z', '--topics', name];
    const args = ['--rule', candidate, '--config', config, ...range, '--json'];
    const { code, out, err } = await run(args, { KAFKA_CLIENT: client });
    expect([code, err]).toEqual([0, []]);
    const report = JSON.parse(out[0] ?? '');
    expect(report).toMatchObject({
      records: 5,
      subjects: 4,
      not_evaluated: { json_syntax: 1 },
      live: { id: 'severe' },
      both: { total: 1, samples: [{ id: 'a' }] },
      only_candidate: {
        total: 2,
        by_type: { 'finding.new': 2 },
        by_day: { '2026-04-10': 1, '2026-04-11': 1 },
      },
      only_live: { total: 0 },
    });
    expect(report.only_candidate.samples.map(({ id }: { id: string }) => id).sort()).toEqual(['b', 'c']);
    expect({ groups: await groups(client), committed: await committed(), ends: await ends() }).toEqual(
      before,
    );
    await admin.close();
  });

  it('compares with the rule that the topic of the configuration holds', async () => {
    const id = `live-${client}-${topic}`;
    const producer = (await log()).producer();
    const record = { v: 1, revision: 7, updated_at: 0, document: rule(id, 'critical') };
    await producer.send([{ topic: topics.config.name, key: `rule/${id}`, value: JSON.stringify(record) }]);
    await producer.close();
    const candidate = await file('by-topic.json', rule(id, 'high'));
    const { code, out } = await run(
      ['--rule', candidate, '--from', '2026-04-05', '--to', '2026-04-20', '--topics', name],
      { KAFKA_CLIENT: client },
    );
    expect([code, out.slice(0, 2)]).toEqual([0, [`candidate  ${id}`, `live       ${id} revision 7`]]);
    expect(out.find((line) => line.startsWith('matches'))?.split(/\s+/)).toEqual(['matches', '1', '2', '0']);
    expect(out.some((line) => line.includes(`${name}/`) && line.endsWith('finding.new  b'))).toBe(true);
  });
});

it('the line of docs/rules.md runs as it stands', async () => {
  const page = await readFile(join(repository, 'docs/rules.md'), 'utf8');
  const [line = ''] = /^\.\/tocsin rules backtest .*$/m.exec(page) ?? [];
  const log = await openLogClient(parseLogSettings({ KAFKA_BROKERS: kafkaBrokers() }, 'test'));
  const admin = log.admin();
  await admin.ensureTopics([topicSpec(topics.findings, 1), topicSpec(topics.events, 1)]);
  await admin.close();
  const id = `recent-${topic}`;
  const producer = log.producer();
  const event = { id, event: 'finding.new', data: { severity: 'high' } };
  await producer.send([{ topic: topics.findings.name, key: id, value: JSON.stringify(event) }]);
  await producer.close();
  const words = line.split(/\s+/).slice(3);
  const args = words.map((word) => (word.startsWith('docs/') ? join(repository, word) : word));
  const { code, out } = await run([...args, '--samples', '1000']);
  expect(code).toBe(0);
  expect(out[1]).toMatch(/^live {7}critical-to-webhook revision \d+$/);
  expect(out.some((shown) => shown.endsWith(id))).toBe(true);
});

describe('what cannot be done', () => {
  const range = ['--from', '2026-04-05', '--to', '2026-04-20'];
  const typed = async (args: readonly string[]) => {
    const err: string[] = [];
    const code = await runRules(['backtest', ...args], {
      out: () => undefined,
      err: (line) => void err.push(line),
    });
    return [code, err[0]?.split('\n')[0]];
  };

  it.each<[string, string[], string]>([
    ['no rule', ['--from', '2026-04-05'], 'tocsin: --rule and --from are needed'],
    ['a file that is not there', ['--rule', '/nowhere.yaml', ...range], 'tocsin: there is no /nowhere.yaml'],
    [
      'a time that is none',
      ['--rule', 'x', '--from', 'monday'],
      'tocsin: --from is a date such as 2026-04-28T12:00:00Z, now, or now-7d, not monday',
    ],
    [
      'a range without time',
      ['--rule', 'x', '--from', '2026-04-05', '--to', '2026-04-05'],
      'tocsin: --from must be earlier than --to',
    ],
    ['no topics', ['--rule', 'x', ...range, '--topics', ','], 'tocsin: --topics names no topic'],
    ['an unknown option', ['--rule', 'x', '--act'], "tocsin: Unknown option '--act'"],
  ])('%s', async (_what, args, message) => {
    const [code, said] = await typed(args);
    expect([code, String(said).startsWith(message)]).toEqual([2, true]);
  });

  it('a candidate with a fault', async () => {
    const bad = await file('bad.json', { ...rule('bad', 'high'), when: { nonsense: 1 } });
    const { code, err } = await run(['--rule', bad, ...range]);
    expect([code, err[0]]).toEqual([1, expect.stringContaining('/when/nonsense: unknown field')]);
  });

  it('a live rule that is not there', async () => {
    const candidate = await file('alone.json', rule(`alone-${topic}`, 'high'));
    const { code, err } = await run(['--rule', candidate, '--live', 'gone', '--config', folder, ...range]);
    expect([code, err.at(-1)]).toEqual([1, 'there is no live rule gone']);
  });

  it('a topic that is not there', async () => {
    const candidate = await file('alone.json', rule('alone', 'high'));
    const gone = `${topic}-gone`;
    const { code, err } = await run(['--rule', candidate, '--config', folder, ...range, '--topics', gone]);
    expect([code, err.at(-1)]).toEqual([1, `there is no topic ${gone}`]);
  });
});

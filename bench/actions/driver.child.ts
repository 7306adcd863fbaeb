// Writes webhook commands as the evaluator does: as many as fit, or at their times whatever the worker does (open loop).
import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';
import { commandTopic } from '@tocsin/topologies/topics.ts';
import { connectionOf } from './destinations.ts';

export interface DriverPlan {
  /** Number of the first command, and how many. */
  readonly from: number;
  readonly count: number;
  /** Destinations `first` to `first + among`, in turn. */
  readonly first: number;
  readonly among: number;
  /** Commands per second; 0: as many as fit. */
  readonly rate: number;
  /** Every so many-th command goes to the destination `apart` instead. */
  readonly every?: number;
  readonly apart?: number;
}

export interface DriverReport {
  /** Before the first send, epoch ms. */
  readonly beganAt: number;
  readonly cpuSeconds: number;
}

const clock = (): number => performance.timeOrigin + performance.now();
const topic = commandTopic('webhook').name;
const batch = 1_000;
/** Assets that findings are about; the ordering key. */
const assets = 5_003;

const client = await openLogClient(parseLogSettings(process.env, 'bench-driver'));
const producer = client.producer();

function command(n: number, plan: DriverPlan): OutRecord {
  const { first, among, every, apart = 0 } = plan;
  const isApart = every !== undefined && n % every === 0;
  // A step that shares no factor with the destinations: neighbours are far apart, all get the same share.
  const destination = isApart ? apart : first + ((n * 7_919) % among);
  const asset = `a-${n % assets}`;
  const id = `evt-${n}`;
  const value: Command = {
    v: 1,
    command_id: n.toString(16).padStart(32, '0'),
    type: 'webhook',
    trigger: 'rule',
    source: { id, kind: 'event', topic: 'findings.v1', partition: n % 12, offset: n, event: 'finding.new' },
    rule: { id: `r-${destination}`, name: `Critical findings for team ${destination}`, revision: 1 },
    action: { id: connectionOf(destination), key: connectionOf(destination), revision: 1 },
    connection: connectionOf(destination),
    mode: 'each',
    row_index: 0,
    params: {
      path: '/hooks/{{data.asset.id}}',
      body: {
        data: { n: '{{data.n}}', sent_at: '{{data.sent_at}}' },
        text: 'New finding: {{data.title}}',
        severity: '{{data.severity}}',
        score: '{{data.cvss}}',
      },
    },
    subject: {
      event: {
        id,
        event: 'finding.new',
        timestamp: '2026-04-28T12:00:00Z',
        data: {
          n,
          sent_at: Math.round(clock() * 100) / 100,
          finding_id: `f-${n}`,
          title: 'SQL Injection in /api/login',
          severity: 'critical',
          cvss: 9.8,
          asset: { id: asset, name: 'api.example.com', type: 'domain', tags: ['production'] },
          scan_id: 'sc-44021',
        },
      },
    },
    hops: 1,
    created_at: Date.now(),
  };
  return { topic, key: asset, value: JSON.stringify(value) };
}

const commands = (from: number, to: number, plan: DriverPlan): OutRecord[] =>
  Array.from({ length: to - from }, (_, index) => command(from + index, plan));

async function drive(plan: DriverPlan): Promise<void> {
  const { from, count, rate } = plan;
  const end = from + count;
  if (rate === 0) {
    for (let n = from; n < end; n += batch) await producer.send(commands(n, Math.min(end, n + batch), plan));
    return;
  }
  const tickMs = 5;
  const began = performance.now();
  const sending = new Set<Promise<void>>();
  for (let tick = 1, n = from; n < end; tick += 1) {
    const due = Math.min(end, from + Math.floor((tick * rate * tickMs) / 1000));
    if (due > n) {
      const send = producer.send(commands(n, due, plan)).finally(() => sending.delete(send));
      sending.add(send);
    }
    n = due;
    await delay(Math.max(0, began + tick * tickMs - performance.now()));
  }
  await Promise.all(sending);
}

// The bench is gone, however it ended.
process.on('disconnect', () => process.exit());
process.on('message', (message) => {
  const beganAt = clock();
  const before = process.cpuUsage();
  void drive(message as DriverPlan).then(() => {
    const { user, system } = process.cpuUsage(before);
    process.send?.({ beganAt, cpuSeconds: (user + system) / 1e6 } satisfies DriverReport);
  });
});
process.send?.({ ready: true });

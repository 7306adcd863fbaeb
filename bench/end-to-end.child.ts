// The two ends of `bench end to end`, each a process of its own: a producer at a fixed rate and a receiver that keeps times.
//
// Latency is the receiver's clock at the request minus the producer's clock at the send call; both are this machine's.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openLogClient } from '@tocsin/adapters/log/client.ts';
import { topics } from '@tocsin/topologies/topics.ts';

const clock = (): number => performance.timeOrigin + performance.now();

function receive(): void {
  const latencies: number[] = [];
  const ids = new Set<string>();
  let duplicates = 0;
  const server = createServer((request, response) => {
    const at = clock();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(204).end();
      const { data } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        data: { sent_at: number; counted: boolean };
      };
      const id = String(request.headers['webhook-id']);
      if (ids.has(id)) duplicates += 1;
      ids.add(id);
      if (data.counted) latencies.push(at - data.sent_at);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
  process.on('message', () => process.send?.({ latencies, duplicates }));
}

async function produce(
  brokers: string,
  rate: number,
  warmup: number,
  seconds: number,
  share: number,
): Promise<void> {
  const producer = (
    await openLogClient({
      client: 'platformatic',
      brokers: brokers.split(','),
      clientId: 'bench-producer',
    })
  ).producer();
  const total = rate * (warmup + seconds);
  const every = Math.round(1 / share);
  const start = clock();
  let sent = 0;
  let fired = 0;
  const sending = new Set<Promise<void>>();
  while (sent < total) {
    const due = Math.min(total, Math.floor(((clock() - start) / 1000) * rate));
    const records = [];
    for (; sent < due; sent += 1) {
      const fires = sent % every === 0;
      const counted = sent >= rate * warmup;
      if (fires && counted) fired += 1;
      records.push({
        topic: topics.findings.name,
        key: `asset-${sent % 500}`,
        value: finding(sent, fires, counted),
      });
    }
    if (records.length > 0) {
      const send = producer.send(records).finally(() => sending.delete(send));
      sending.add(send);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(sending);
  await producer.close();
  process.send?.({ fired });
}

function finding(number: number, fires: boolean, counted: boolean): string {
  return JSON.stringify({
    id: `evt-${number}`,
    event: 'finding.new',
    timestamp: '2026-04-28T12:00:00Z',
    data: {
      finding_id: `f-${number}`,
      title: 'SQL Injection in /api/login',
      severity: fires ? 'critical' : 'medium',
      cvss: fires ? 9.8 : 5.4,
      asset: { id: `asset-${number % 500}`, name: 'api.example.com', type: 'domain', tags: ['production'] },
      scan_id: 'sc-44021',
      description: 'User input is passed directly to SQL query without parameterization.',
      sent_at: clock(),
      counted,
    },
  });
}

const [role, brokers = '', ...numbers] = process.argv.slice(2);
if (role === 'receiver') receive();
else {
  const [rate = 0, warmup = 0, seconds = 0, share = 1] = numbers.map(Number);
  await produce(brokers, rate, warmup, seconds, share);
}

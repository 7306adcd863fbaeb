// The topic that sinks are measured with: findings of one size, in the shape of the SIEM guide's own example.
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import type { OutRecord } from '@tocsin/topologies/ports/log.ts';

const partitions = 4;
export const findingBytes = 407;

/** A finding of exactly 407 bytes, in the shape of the SIEM guide's own example. */
export function finding(number: number): string {
  const id = String(number).padStart(8, '0');
  const severity = ['critical', 'high', 'medium', 'low'][number % 4]!;
  const event = (description: string): string =>
    JSON.stringify({
      event: 'finding.new',
      timestamp: new Date(1_777_377_600_000 + number).toISOString(),
      data: {
        finding_id: `f-${id}`,
        title: 'SQL Injection in /api/login',
        severity,
        cvss: 9.8,
        asset: { id: `a-${number % 1000}`, name: `host${number % 1000}.example.com`, type: 'domain' },
        scan_id: 'sc-44021',
        description,
        remediation: 'Use parameterized queries or an ORM.',
      },
    });
  const text = 'User input is passed directly to SQL query without parameterization. ';
  return event(
    text
      .padEnd(text.length + findingBytes - Buffer.byteLength(event(text)), '.')
      .slice(0, text.length + findingBytes - event(text).length),
  );
}

/** Makes the topic and fills it. */
export async function preload(brokers: string, topic: string, events: number): Promise<void> {
  const client = await openLogClient(
    parseLogSettings({ ...process.env, KAFKA_BROKERS: brokers }, 'bench-producer'),
  );
  const admin = client.admin();
  await admin.ensureTopics([{ name: topic, partitions, replicationFactor: 1, config: {} }]);
  await admin.close();
  const producer = client.producer();
  for (let from = 0; from < events; from += 5_000) {
    const records: OutRecord[] = [];
    for (let n = from; n < Math.min(events, from + 5_000); n++)
      records.push({ topic, key: `a-${n % 1000}`, value: finding(n), partition: n % partitions });
    await producer.send(records);
  }
  await producer.close();
}

// Reads a whole topic, bytes and all, and waits until groups have nothing left to read.
import { setTimeout as delay } from 'node:timers/promises';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';

export interface Stored {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Everything that is in a topic now. */
export async function readTopic(client: LogClient, topic: string): Promise<Stored[]> {
  const records: Stored[] = [];
  const reader = client.table({
    topic,
    onBatch(batch) {
      for (let index = 0; index < batch.count; index += 1) {
        const value = batch.value(index);
        records.push({
          topic,
          partition: batch.partition,
          offset: batch.offset(index),
          key: batch.key(index)?.toString('utf8') ?? null,
          value: value === null ? null : Buffer.from(value),
          headers: Object.fromEntries(
            batch.headers(index).map(([name, header]) => [name, header.toString('utf8')]),
          ),
        });
      }
    },
  });
  await reader.start();
  await reader.stop();
  return records;
}

export type Reading = { readonly group: string; readonly topics: readonly string[] };

/** Records that wait for these groups. */
export async function waiting(client: LogClient, readings: readonly Reading[]): Promise<number> {
  const admin = client.admin();
  try {
    let sum = 0;
    for (const { group, topics } of readings)
      for (const { records } of await admin.lag(group, topics)) sum += records;
    return sum;
  } finally {
    await admin.close();
  }
}

/** Resolves when nothing waits, seen twice in a row; rejects after `timeoutMs` with what does. */
export async function untilIdle(
  client: LogClient,
  readings: readonly Reading[],
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let quiet = 0; quiet < 2; ) {
    const left = await waiting(client, readings);
    quiet = left === 0 ? quiet + 1 : 0;
    if (performance.now() > deadline) {
      const each = await Promise.all(
        readings.map(async (reading) => `${reading.group} ${await waiting(client, [reading])}`),
      );
      throw new Error(`still waiting after ${timeoutMs} ms: ${each.join(', ')}`);
    }
    await delay(150);
  }
}

/** Timers that wait for their time: commands among them are in nobody's lag. */
export async function pendingTimers(client: LogClient): Promise<number> {
  const pending = new Set<string>();
  for (const { key, value } of await readTopic(client, topics.timers.name))
    if (value === null) pending.delete(key ?? '');
    else pending.add(key ?? '');
  return pending.size;
}

/** Polls until `holds`; rejects after `timeoutMs` with `what`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
  everyMs = 25,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not after ${timeoutMs} ms`);
    await delay(everyMs);
  }
}

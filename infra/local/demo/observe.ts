// What the demo prints, read from the running system: topics, metrics, lag and the receivers' own books.

import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import type { LogClient, RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { ApiClient } from './api.ts';

export interface SeenRecord {
  readonly topic: string;
  readonly offset: number;
  readonly timestamp: number;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function openLog(env: NodeJS.ProcessEnv): Promise<LogClient> {
  return openLogClient(parseLogSettings(env, 'tocsin-demo'));
}

/** Everything that is in a topic now. */
export async function readTopic(client: LogClient, topic: string): Promise<SeenRecord[]> {
  const records: SeenRecord[] = [];
  const reader = client.table({ topic, onBatch: (batch) => void records.push(...recordsOf(batch)) });
  await reader.start();
  await reader.stop();
  return records;
}

function recordsOf(batch: RecordBatch): SeenRecord[] {
  return Array.from({ length: batch.count }, (_, index) => ({
    topic: batch.topic,
    offset: batch.offset(index),
    timestamp: batch.timestamp(index),
    value: batch.value(index)?.toString('utf8') ?? '',
    headers: Object.fromEntries(batch.headers(index).map(([name, value]) => [name, value.toString('utf8')])),
  }));
}

interface Lag {
  readonly items: readonly { readonly group: string; readonly records: number }[];
}

/** Resolves when no group has anything waiting, seen three times in a row; rejects after `timeoutMs` with who waits. */
export async function untilIdle(api: ApiClient, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let quiet = 0;
  for (;;) {
    const waiting = (await api.get<Lag>('/api/lag')).items.filter(({ records }) => records > 0);
    quiet = waiting.length === 0 ? quiet + 1 : 0;
    if (quiet === 3) return;
    if (performance.now() > deadline)
      throw new Error(
        `still waiting: ${waiting.map(({ group, records }) => `${group} ${records}`).join(', ')}`,
      );
    await delay(500);
  }
}

/** The value below which `share` of the sorted values lie (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

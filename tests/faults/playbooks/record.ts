// Reads what a fault run left behind: topics from their start, states and offsets from Redis, offsets of the group.

import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import type { RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { readRunInput } from '@tocsin/topologies/domain/playbooks/run-fold.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import type { RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Recording, StoredRun } from './checker.ts';
import { commands, partitions, type Stage } from './stage.ts';

const place = (partition: number): string => `tocsin:fold:{runs-${partition}}:`;

/** The states of all runs in Redis, by key. */
export async function storedRuns({ redis }: Pick<Stage, 'redis'>): Promise<Map<string, StoredRun>> {
  const runs = new Map<string, StoredRun>();
  for (let partition = 0; partition < partitions; partition++) {
    const prefix = `${place(partition)}s:`;
    for (let cursor = '0'; ; ) {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1_000);
      const reading = redis.pipeline();
      for (const key of keys) reading.hmget(key, 'v', 'b');
      for (const [at, [error, found]] of ((await reading.exec()) ?? []).entries()) {
        if (error !== null) throw error;
        const [version, body] = found as [string | null, string | null];
        if (version !== null && body !== null)
          runs.set((keys[at] as string).slice(prefix.length), { partition, version: Number(version), body });
      }
      if (next === '0') break;
      cursor = next;
    }
  }
  return runs;
}

export function stateOf({ body }: StoredRun): RunState {
  return JSON.parse(body) as RunState;
}

async function read({ client }: Stage, topic: string, take: (batch: RecordBatch, index: number) => void) {
  const table = client.table({
    topic,
    onBatch: (batch) => {
      for (let index = 0; index < batch.count; index++) take(batch, index);
    },
  });
  await table.start();
  await table.stop();
}

/** Everything about runs whose key begins with `prefix`; offsets are those of all. */
export async function record(
  stage: Stage,
  prefix: string,
  known: Pick<
    Recording,
    'programs' | 'started' | 'faults' | 'repeatBound' | 'latenessMs' | 'earlyMs' | 'bystanders'
  >,
): Promise<Recording> {
  const ours = (key: string | undefined): boolean => key?.startsWith(prefix) === true;
  const inputs: Recording['inputs'][number][] = [];
  const changes: Recording['changes'][number][] = [];
  const sent: { text: string }[] = [];
  const letters = new Set<string>();
  const pending = new Set<string>();
  await read(stage, engineTopics.runs.name, (batch, index) => {
    const key = batch.key(index)?.toString() ?? '';
    if (!ours(key)) return;
    const found = readRunInput(batch.key(index), batch.value(index));
    inputs.push({
      partition: batch.partition,
      offset: batch.offset(index),
      at: batch.timestamp(index),
      key,
      input: 'refuse' in found ? null : found.input,
    });
  });
  await read(stage, engineTopics.runEvents.name, (batch, index) => {
    if (ours(batch.key(index)?.toString()))
      changes.push({ partition: batch.partition, text: String(batch.value(index)) });
  });
  await read(stage, commands, (batch, index) => {
    if (ours(batch.key(index)?.toString())) sent.push({ text: String(batch.value(index)) });
  });
  await read(stage, engineTopics.deadLetters.name, (batch, index) => {
    const headers = new Map(batch.headers(index).map(([name, value]) => [name, value.toString()]));
    letters.add((headers.get('x-dlq-source') ?? '').slice(engineTopics.runs.name.length + 1));
  });
  await read(stage, engineTopics.timers.name, (batch, index) => {
    const token = (batch.key(index)?.toString() ?? '').slice(engineTopics.runs.name.length + 1);
    if (!ours(token)) return;
    if (batch.value(index) === null) pending.delete(token);
    else pending.add(token);
  });
  const stored = await storedRuns(stage);
  const applied = new Map<number, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const offset = await stage.redis.get(`${place(partition)}offset`);
    if (offset !== null) applied.set(partition, Number(offset));
  }
  const admin = stage.client.admin();
  const lag = await admin.lag(groups.runs.id, [engineTopics.runs.name]);
  await admin.close();
  return {
    ...known,
    inputs,
    changes,
    commands: sent,
    stored: new Map([...stored].filter(([key]) => ours(key))),
    applied,
    committed: new Map(lag.map(({ partition, committed }) => [partition, committed])),
    letters,
    pending,
  };
}

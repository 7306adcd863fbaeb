// Reads what a fault run left behind: topics from their start, states and offsets from Redis, offsets of the group.

import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import type { RunState } from '@tocsin/topologies/domain/playbooks/machine/state.ts';
import { readRunInput } from '@tocsin/topologies/domain/playbooks/run-fold.ts';
import { groups } from '@tocsin/topologies/groups.ts';
import type { RecordBatch } from '@tocsin/topologies/ports/log.ts';
import type { Recording, StoredRun } from './checker.ts';
import { type Stage, commands as stageCommands, partitions as stagePartitions } from './stage.ts';

const place = (partition: number): string => `tocsin:fold:{runs-${partition}}:`;

/** Where runs left what is read. Without more said: as on a stage. */
export interface Ground extends Pick<Stage, 'client' | 'redis'> {
  /** Of the topic of inputs. */
  readonly partitions?: number;
  /** Topics of commands. */
  readonly commands?: readonly string[];
}

/** The states of all runs in Redis, by key. */
export async function storedRuns(
  ground: Pick<Ground, 'redis' | 'partitions'>,
): Promise<Map<string, StoredRun>> {
  const { redis, partitions = stagePartitions } = ground;
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

function isTimer(text: string): boolean {
  return (JSON.parse(text) as { kind?: string }).kind === 'timer';
}

async function read({ client }: Ground, topic: string, take: (batch: RecordBatch, index: number) => void) {
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
  ground: Ground,
  prefix: string,
  known: Pick<
    Recording,
    'programs' | 'started' | 'faults' | 'repeatBound' | 'latenessMs' | 'earlyMs' | 'bystanders'
  >,
): Promise<Recording> {
  const { client, redis, partitions = stagePartitions, commands = [stageCommands] } = ground;
  const ours = (key: string | undefined): boolean => key?.startsWith(prefix) === true;
  const inputs: Recording['inputs'][number][] = [];
  const changes: Recording['changes'][number][] = [];
  const sent: { text: string }[] = [];
  const letters = new Set<string>();
  const pending = new Set<string>();
  await read(ground, engineTopics.runs.name, (batch, index) => {
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
  await read(ground, engineTopics.runEvents.name, (batch, index) => {
    if (ours(batch.key(index)?.toString()))
      changes.push({ partition: batch.partition, text: String(batch.value(index)) });
  });
  for (const topic of commands)
    await read(ground, topic, (batch, index) => {
      const text = String(batch.value(index));
      // What a timer wrote is a command that was there before.
      if (ours(batch.key(index)?.toString()) && !isTimer(text)) sent.push({ text });
    });
  await read(ground, engineTopics.deadLetters.name, (batch, index) => {
    const headers = new Map(batch.headers(index).map(([name, value]) => [name, value.toString()]));
    letters.add((headers.get('x-dlq-source') ?? '').slice(engineTopics.runs.name.length + 1));
  });
  await read(ground, engineTopics.timers.name, (batch, index) => {
    const token = (batch.key(index)?.toString() ?? '').slice(engineTopics.runs.name.length + 1);
    if (!ours(token)) return;
    if (batch.value(index) === null) pending.delete(token);
    else pending.add(token);
  });
  const stored = await storedRuns(ground);
  const applied = new Map<number, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const offset = await redis.get(`${place(partition)}offset`);
    if (offset !== null) applied.set(partition, Number(offset));
  }
  const admin = client.admin();
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

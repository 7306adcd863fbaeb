// What a conformance case gets: a log client to judge, and ways to look at it from outside.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Assignment,
  ConsumerNotice,
  ConsumerOptions,
  LogClient,
  LogConsumer,
  RecordBatch,
  TopicPartition,
} from '@tocsin/topologies/ports/log.ts';

export interface Overrides {
  readonly onOffsetOutOfRange?: 'stop' | 'earliest';
  readonly maxDecompressedBytes?: number;
}

export interface Subject {
  readonly replicationFactor: number;
  /** A client of the log under test. */
  create(overrides?: Overrides): LogClient;
  /** Retention: the offsets below are gone. */
  deleteBefore(tp: TopicPartition, offset: number): Promise<void>;
}

export interface Case {
  readonly number: number;
  readonly title: string;
  readonly run: (subject: Subject) => Promise<void>;
}

export const unique = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`;

/** Resolves as soon as `holds`; throws after `ms`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 20_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not reached in ${ms} ms: ${what}`);
    await sleep(15);
  }
}

export interface Seen {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
}

export interface Reader {
  readonly consumer: LogConsumer;
  readonly seen: Seen[];
  readonly notices: ConsumerNotice[];
  readonly failures: Error[];
}

export type OnBatch = (batch: RecordBatch, assignment: Assignment) => Promise<void> | void;

/** A consumer that writes down what it sees; completes every batch unless `onBatch` is given. */
export function reader(
  log: LogClient,
  topic: string,
  group: string,
  options: Partial<ConsumerOptions> = {},
  onBatch?: OnBatch,
): Reader {
  const seen: Seen[] = [];
  const notices: ConsumerNotice[] = [];
  const failures: Error[] = [];
  const { handler, ...rest } = options;
  const consumer = log.consumer({
    group,
    topics: [topic],
    commitIntervalMs: 50,
    sessionTimeoutMs: 6_000,
    drainMs: 3_000,
    ...rest,
    handler: {
      ...handler,
      onBatch: async (batch, assignment) => {
        for (let index = 0; index < batch.count; index++) {
          seen.push({
            partition: batch.partition,
            offset: batch.offset(index),
            key: batch.key(index)?.toString() ?? null,
            value: batch.value(index)?.toString() ?? null,
          });
        }
        if (onBatch === undefined) assignment.complete(batch.offset(0), batch.nextOffset);
        else await onBatch(batch, assignment);
      },
    },
    onNotice: (notice) => notices.push(notice),
    onFailure: (error) => failures.push(error),
  });
  return { consumer, seen, notices, failures };
}

export async function createTopic(
  subject: Subject,
  log: LogClient,
  name: string,
  partitions: number,
  config: Record<string, string> = {},
): Promise<string> {
  const topic = unique(name);
  const admin = log.admin();
  await admin.ensureTopics([
    { name: topic, partitions, replicationFactor: subject.replicationFactor, config },
  ]);
  await admin.close();
  return topic;
}

/** Sends `count` records with values `0`, `1`, and so on to one partition. */
export async function fill(
  log: LogClient,
  topic: string,
  count: number,
  partition = 0,
  first = 0,
): Promise<void> {
  const producer = log.producer();
  await producer.send(
    Array.from({ length: count }, (_, index) => ({
      topic,
      partition,
      key: `k${index % 7}`,
      value: String(first + index),
    })),
  );
  await producer.close();
}

/** Committed offset per partition; -1 where nothing is committed. */
export async function committed(log: LogClient, group: string, topic: string): Promise<number[]> {
  const admin = log.admin();
  const lag = await admin.lag(group, [topic]);
  await admin.close();
  return lag.sort((a, b) => a.partition - b.partition).map((each) => each.committed);
}

// A broker, the sinks as a process, and sinks on it that a test begins, one receiver each; what the log holds of them afterwards.
//
// Invariant: whatever a test did, `stop` ends every process and removes the data. Committed offsets are looked at all the time, not at the end.
// Surprise: all sinks read the topic of findings, each from its own beginning on; so events name their sink.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { createMissingTopics } from '@tocsin/local/topics.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { sinkGroup } from '@tocsin/topologies/groups.ts';
import type { LogClient } from '@tocsin/topologies/ports/log.ts';
import { topics } from '@tocsin/topologies/topics.ts';
import { publish } from '../books.ts';
import { createProcesses, type Process, writeDocuments } from '../processes.ts';
import { readTopic, until, untilIdle } from '../topic.ts';
import { type Changes, type Kind, secret, sinkDocumentsOf } from './kinds.ts';
import { createReceiver, type Receiver } from './receiver.ts';
import { judge, type Sample, type SinkVerdict } from './verdict.ts';

export interface Stage {
  readonly client: LogClient;
  readonly sinks: Process;
  /** One more process of the sinks, in the same groups. */
  second(): Promise<Process>;
  /** A receiver and a sink for it; `id` names both and their events. The receiver runs unless `away`. */
  begin(kind: Kind, id: string, changes?: Changes & { readonly away?: boolean }): Promise<Run>;
  /** Publishes these records. */
  publish(records: readonly Event[]): Promise<void>;
  stop(): Promise<void>;
}

export interface Event {
  readonly key: string;
  readonly value: string;
}

export interface Run {
  readonly kind: Kind;
  readonly id: string;
  readonly receiver: Receiver;
  /** `count` events from number `from` on. */
  events(count: number, from?: number): Event[];
  /** Writes its documents anew; the sinks read them within a second or two. */
  change(changes: Changes): void;
  /** A metric of the process that `sinks` is. */
  metric(name: string): Promise<number>;
  untilPaused(paused: boolean): Promise<void>;
  /** Records that the group has not committed. */
  waiting(): Promise<number>;
  /** Waits until everything is committed, ends the sink, and judges. */
  verdict(timeoutMs?: number): Promise<SinkVerdict>;
}

const topic = topics.findings.name;

/** `environment` goes to the sinks. */
export async function startStage(environment: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const scratch = scratchFolder('sink-faults');
  const home = scratch.path;
  const configDir = join(home, 'config');
  mkdirSync(configDir);
  const kafka = await startKafka({
    dataDir: join(home, 'kafka'),
    extraProperties: { 'group.min.session.timeout.ms': '1000' },
  });
  const env = {
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_SESSION_TIMEOUT_MS: '2500',
    CONFIG_DIR: configDir,
    SINK_SECRET: secret,
    LOG_LEVEL: 'info',
    ...environment,
  };
  const processes = createProcesses(home, env);
  const receivers: Receiver[] = [];
  const watches = new AbortController();
  const stop = async (): Promise<void> => {
    watches.abort();
    await processes.end();
    await Promise.all(receivers.map((receiver) => receiver.kill()));
    await kafka.stop();
    if (process.env['FAULTS_KEEP'] !== undefined) process.stdout.write(`kept: ${home}\n`);
    else scratch.remove();
  };

  async function begin(
    kind: Kind,
    id: string,
    { away = false, ...changes }: Changes & { readonly away?: boolean } = {},
  ): Promise<Run> {
    const receiver = await createReceiver(kind, join(home, `${id}.books`));
    receivers.push(receiver);
    if (!away) await receiver.start();
    const since = new Date().toISOString();
    const change = (changed: Changes): void =>
      writeDocuments(configDir, sinkDocumentsOf(kind, id, receiver.port, since, changed));
    const reading = { group: sinkGroup(id).id, topics: [topic] };
    const samples: Sample[] = [];
    const ended = new AbortController();
    const admin = client.admin();
    const lags = () => admin.lag(reading.group, reading.topics);
    const watching = watch(AbortSignal.any([ended.signal, watches.signal]), async () => {
      const committed = new Map((await lags()).map((lag) => [lag.partition, lag.committed]));
      samples.push({ committed, bytes: receiver.bytes() });
    });
    change(changes);

    async function metric(name: string): Promise<number> {
      const text = await (await fetch(`${sinks.url}/metrics`)).text();
      const found = text
        .split('\n')
        .find((line) => line.startsWith(`${name}{`) && line.includes(`sink="${id}"`));
      return Number(found?.split(' ').at(-1) ?? 0);
    }

    return {
      kind,
      id,
      receiver,
      events: (count, from = 0) => Array.from({ length: count }, (_, k) => eventOf(id, from + k)),
      change,
      metric,
      untilPaused: (paused) =>
        until(
          `${id} ${paused ? 'paused' : 'runs'}`,
          async () => (await metric('tocsin_sink_paused')) === Number(paused),
          20_000,
        ),
      waiting: async () => (await lags()).reduce((sum, { records }) => sum + records, 0),
      async verdict(timeoutMs = 60_000) {
        await untilIdle(client, [reading], timeoutMs);
        ended.abort();
        await watching;
        await admin.close();
        change({ ...changes, enabled: false });
        const letters = (await readTopic(client, topics.deadLetters.name))
          .filter(({ headers }) => headers['x-dlq-service'] === `sinks/${id}`)
          .map(({ key, headers }) => ({ id: key ?? '', reason: headers['x-dlq-reason'] ?? '' }));
        const ours = (event: string | null): boolean => event?.startsWith(`${id}/`) === true;
        const sent = (await readTopic(client, topic))
          .filter(({ key }) => ours(key))
          .map(({ key, partition, offset }) => ({ id: key ?? '', partition, offset }));
        // Sinks that run side by side see the events of each other.
        const entries = receiver
          .entries()
          .map((entry) => ({ ...entry, ids: entry.ids.filter((event) => ours(event)) }));
        return judge({ sent, entries, letters: letters.filter(({ id: key }) => ours(key)), samples });
      },
    };
  }

  let client: LogClient;
  let sinks: Process;
  try {
    await createMissingTopics(env);
    client = await openLogClient(parseLogSettings(env, 'sink-faults'));
    sinks = await processes.service('sinks');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    client,
    sinks,
    second: () => processes.service('sinks'),
    begin,
    publish: (records) => publish(client, records),
    stop,
  };
}

/** An event of the run; its key is its id, so that it can be told from the log, the letters and the books. */
export function eventOf(run: string, number: number, data: object = {}): Event {
  const id = `${run}/${number}`;
  const value = JSON.stringify({
    id,
    event: 'finding.new',
    timestamp: new Date(Date.UTC(2026, 3, 28) + number).toISOString(),
    data: { n: number, title: `Finding ${number}`, severity: 'high', ...data },
  });
  return { key: id, value };
}

async function watch(signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    // A broker that is busy with a rebalance may refuse to answer; the next look tells.
    await look().catch(() => undefined);
    await delay(60, undefined, { signal }).catch(() => undefined);
  }
}

// The servers and processes of `bench actions`: the real service for `webhook` on embedded servers, receivers, and a driver.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tocsin/local/ports.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { startPostgres } from '@tocsin/local/servers/postgres.ts';
import { startRedis } from '@tocsin/local/servers/redis.ts';
import { startServices } from '@tocsin/local/stack.ts';
import type { HttpConnection } from '@tocsin/schemas/types.ts';
import { rssMbOf } from '@tocsin/testing/resident-memory.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { cpuSecondsOf, nextMessage } from '../process-usage.ts';
import { connectionDocument } from './destinations.ts';
import type { DriverPlan, DriverReport } from './driver.child.ts';
import type { Behaviour, ReceiverBooks, ReceiverOrder } from './receiver.child.ts';

/** Listening sockets and connections together must fit into the usual limit of open files. */
const destinationsPerReceiver = 5_000;

export interface Usage {
  readonly worker: number;
  readonly kafka: number;
  readonly redis: number;
  readonly receivers: number;
}

export interface Round extends DriverReport {
  readonly received: number;
  readonly duplicates: number;
  /** From the first send to the last request. */
  readonly seconds: number;
  readonly latenciesMs: Float64Array;
  /** CPU seconds, and resident memory of the worker at the end. */
  readonly cpu: Usage;
  readonly rssMb: number;
  readonly connections: number;
}

export interface Stage {
  /** Sends commands and waits until `expected` of them, by default all, have come. Rejects when they do not. */
  round(plan: DriverPlan, expected?: number): Promise<Round>;
  behave(destination: number, as: Behaviour): void;
  rssMb(): number;
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly destinations: number;
  readonly connection?: Partial<HttpConnection>;
  /** Where the worker leaves a CPU profile when it ends. */
  readonly profileFolder: string | undefined;
}

const note = (line: string): void => void process.stderr.write(`${line}\n`);

export async function startStage({ destinations, connection, profileFolder }: StageOptions): Promise<Stage> {
  const scratch = scratchFolder('bench-actions');
  const home = scratch.path;
  const [kafka, redis, postgres] = await Promise.all([
    startKafka({ dataDir: join(home, 'kafka'), say: note }),
    startRedis({ dataDir: join(home, 'redis'), say: note }),
    startPostgres({ dataDir: join(home, 'postgres'), say: note }),
  ]);
  const servers = { KAFKA_BROKERS: kafka.brokers, REDIS_URL: redis.url, DATABASE_URL: postgres.url };
  const children: ChildProcess[] = [];
  const child = (
    file: string,
    args: readonly number[],
    env: NodeJS.ProcessEnv = process.env,
  ): ChildProcess => {
    const started = fork(fileURLToPath(new URL(file, import.meta.url)), args.map(String), { env });
    children.push(started);
    return started;
  };

  const port = await freePort();
  const receivers: ChildProcess[] = [];
  for (let first = 0; first < destinations; first += destinationsPerReceiver) {
    const count = Math.min(destinationsPerReceiver, destinations - first);
    const receiver = child('./receiver.child.ts', [first, count, port]);
    await nextMessage(receiver, 'a receiver');
    receivers.push(receiver);
  }
  mkdirSync(join(home, 'config'));
  writeFileSync(
    join(home, 'config', 'connections.json'),
    JSON.stringify(
      Array.from({ length: destinations }, (_, index) => connectionDocument(index, port, connection)),
    ),
  );
  const profile = profileFolder === undefined ? '' : `--cpu-prof --cpu-prof-dir=${profileFolder}`;
  const services = await startServices({
    home,
    servers,
    names: ['actions'],
    say: note,
    env: {
      CONFIG_DIR: join(home, 'config'),
      LOG_LEVEL: 'warn',
      ACTIONS: 'webhook',
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} ${profile}`.trim(),
    },
  });
  await services.healthy(120_000);
  const driver = child('./driver.child.ts', [], { ...process.env, ...servers });
  await nextMessage(driver, 'the driver');

  const order = (to: ChildProcess, what: ReceiverOrder): void => void to.send(what);
  async function books(): Promise<ReceiverBooks[]> {
    const answers = receivers.map((receiver) => nextMessage<ReceiverBooks>(receiver, 'a receiver'));
    for (const receiver of receivers) order(receiver, { order: 'books' });
    return Promise.all(answers);
  }
  const sum = (all: readonly ReceiverBooks[], of: (each: ReceiverBooks) => number): number =>
    all.reduce((total, each) => total + of(each), 0);
  const workerPid = (): number => services.pid('actions')!;
  const usage = (all: readonly ReceiverBooks[]): Usage => ({
    worker: cpuSecondsOf(workerPid()),
    kafka: cpuSecondsOf(kafka.pids[0]!),
    redis: cpuSecondsOf(redis.pid),
    receivers: sum(all, (each) => each.cpuSeconds),
  });

  return {
    async round(plan, expected = plan.count) {
      const { from, count } = plan;
      for (const receiver of receivers) order(receiver, { order: 'begin', from, count });
      const before = usage(await books());
      const latenciesMs: number[] = [];
      let received = 0;
      let duplicates = 0;
      let lastAt = 0;
      let state: ReceiverBooks[] = [];
      const look = async (): Promise<void> => {
        state = await books();
        received = sum(state, (each) => each.received);
        duplicates = sum(state, (each) => each.duplicates);
        lastAt = Math.max(...state.map((each) => each.lastAt));
        for (const each of state) latenciesMs.push(...each.latenciesMs);
      };
      const answer = nextMessage<DriverReport>(driver, 'the driver');
      driver.send(plan);
      const report = await answer;
      const deadline = performance.now() + 120_000;
      for (await look(); received < expected; await look()) {
        if (performance.now() > deadline) throw new Error(`${received} of ${expected} commands came`);
        await delay(100);
      }
      // Repeats would come now.
      await delay(300);
      await look();
      const after = usage(state);
      return {
        ...report,
        received,
        duplicates,
        seconds: (lastAt - report.beganAt) / 1000,
        latenciesMs: Float64Array.from(latenciesMs),
        cpu: {
          worker: after.worker - before.worker,
          kafka: after.kafka - before.kafka,
          redis: after.redis - before.redis,
          receivers: after.receivers - before.receivers,
        },
        rssMb: rssMbOf(workerPid()),
        connections: sum(state, (each) => each.connections),
      };
    },
    behave(destination, as) {
      const receiver = receivers[Math.floor(destination / destinationsPerReceiver)]!;
      order(receiver, { order: 'behave', destination, as });
    },
    rssMb: () => rssMbOf(workerPid()),
    async stop() {
      await services.stop();
      for (const each of children) each.kill('SIGKILL');
      await Promise.all([kafka.stop(), redis.stop(), postgres.stop()]);
      scratch.remove();
    },
  };
}

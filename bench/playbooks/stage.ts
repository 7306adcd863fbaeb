// The servers and processes of one part of `bench playbooks`, and what each of them used.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openLogClient, parseLogSettings } from '@tocsin/adapters/log/client.ts';
import { startKafka } from '@tocsin/local/servers/kafka.ts';
import { startRedis } from '@tocsin/local/servers/redis.ts';
import { engineTopics } from '@tocsin/testing/playbook-engine.ts';
import { scratchFolder } from '@tocsin/testing/scratch.ts';
import { topicSpec } from '@tocsin/topologies/all-topics.ts';
import { cpuSecondsOf, nextMessage } from '../process-usage.ts';
import type { DriverReport } from './driver.child.ts';
import type { EngineReady, EngineUsage } from './engine.child.ts';
import { commandsTopic } from './playbook.ts';

export interface Engine {
  readonly readySeconds: number;
  usage(): Promise<EngineUsage>;
  /** In order: the group learns that the member leaves. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface DriverPlan {
  readonly prefix: string;
  readonly runs: number;
  /** Runs at work at the same time, when no rate is given. */
  readonly atATime?: number;
  readonly perSecond?: number;
  /** Its command gets no answer: the runs stay. */
  readonly silentStep?: string;
}

export interface Stage {
  readonly brokers: string;
  readonly redisUrl: string;
  /** `nodeFlags` such as --cpu-prof. */
  engine(nodeFlags?: readonly string[]): Promise<Engine>;
  drive(plan: DriverPlan): Promise<DriverReport>;
  child<T>(file: string, args: readonly (string | number)[]): Promise<T>;
  /** CPU seconds of the servers so far. */
  servers(): { readonly kafka: number; readonly redis: number };
  /** Records of the changelog whose run's key begins so and in which a step or the run changed. */
  transitions(prefix: string): Promise<number>;
  stop(): Promise<void>;
}

const note = (line: string): void => void process.stderr.write(`${line}\n`);

export async function startStage(name: string): Promise<Stage> {
  const scratch = scratchFolder(`bench-playbooks-${name}`);
  const kafka = await startKafka({ dataDir: `${scratch.path}/kafka`, say: note });
  const redis = await startRedis({ dataDir: `${scratch.path}/redis`, say: note });
  const env = {
    // As infra/local/stack.ts starts services.
    MALLOC_ARENA_MAX: '2',
    ...process.env,
    KAFKA_BROKERS: kafka.brokers,
    REDIS_URL: redis.url,
    // A member that was killed comes back under its name and need not wait until the group misses it.
    KAFKA_INSTANCE_ID: 'engine',
  };
  const children = new Set<ChildProcess>();
  const client = await openLogClient(parseLogSettings(env, 'bench-stage'));
  const admin = client.admin();
  await admin.ensureTopics(
    [...Object.values(engineTopics), commandsTopic].map((topic) => topicSpec(topic, 1)),
  );
  await admin.close();

  function start(file: string, args: readonly (string | number)[], flags: readonly string[]): ChildProcess {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = fork(path, args.map(String), { env, execArgv: [...flags] });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  }

  const gone = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve());
    });

  const stage: Stage = {
    brokers: kafka.brokers,
    redisUrl: redis.url,
    async engine(nodeFlags = []) {
      const began = performance.now();
      const child = start('./engine.child.ts', [], nodeFlags);
      await nextMessage<EngineReady>(child, 'the engine');
      return {
        readySeconds: (performance.now() - began) / 1000,
        async usage() {
          const answer = nextMessage<EngineUsage>(child, 'the engine');
          child.send('usage');
          return answer;
        },
        async stop() {
          child.send('stop');
          await gone(child);
        },
        async kill() {
          child.kill('SIGKILL');
          await gone(child);
        },
      };
    },
    drive: ({ prefix, runs, atATime = 2_000, perSecond = 0, silentStep = '' }) =>
      stage.child('./driver.child.ts', [prefix, runs, atATime, perSecond, silentStep]),
    async child(file, args) {
      const child = start(file, args, []);
      const report = await nextMessage<never>(child, file);
      await gone(child);
      return report;
    },
    servers: () => ({ kafka: cpuSecondsOf(kafka.pids[0]!), redis: cpuSecondsOf(redis.pid) }),
    async transitions(prefix) {
      let count = 0;
      const table = client.table({
        topic: engineTopics.runEvents.name,
        onBatch: (batch) => {
          for (let index = 0; index < batch.count; index++) {
            if (!batch.key(index)?.toString().startsWith(prefix)) continue;
            const { changes } = JSON.parse(String(batch.value(index))) as { changes: { what: string }[] };
            if (changes.some(({ what }) => what === 'step' || what === 'run')) count += 1;
          }
        },
      });
      await table.start();
      await table.stop();
      return count;
    },
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      await kafka.stop();
      await redis.stop();
      scratch.remove();
    },
  };
  return stage;
}

// Apache Kafka in KRaft mode as child processes: one broker, or three that form a real cluster, on 127.0.0.1.
// Invariant: a data folder that was used before starts again with its data, also on other ports and after a crash.
// Surprise: it is formatted without a JVM (meta.properties by us, bootstrap.checkpoint copied from the cache), which saves a second.
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { logTail, type Running, startProgram, waitUntilReady } from '../process.ts';
import { claim, openDataDir, unclaim } from './data-dir.ts';
import { kafkaFiles, pinnedVersion, type Say } from './fetch.ts';
import { javaCommand, type KafkaJvm, prepareKafka } from './kafka-jvm.ts';
import { listsBrokers } from './kafka-probe.ts';

export type KafkaOptions = {
  dataDir: string;
  /** Port of the first broker's PLAINTEXT listener; 0 (default) takes a free one. */
  port?: number;
  brokers?: 1 | 3;
  /** Another release than the pinned one, e.g. `3.9.1`; fetched when it is not cached. */
  version?: string;
  /** Broker properties; they win over ours. */
  extraProperties?: Readonly<Record<string, string>>;
  /** More listeners by name, e.g. `{ SECURE: 'SASL_SSL' }`; their bootstrap servers are in `listeners` of the answer. */
  extraListeners?: Readonly<Record<string, 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'>>;
  heapMb?: number;
  say?: Say;
};

export type Kafka = {
  /** `host:port`, comma separated. */
  brokers: string;
  /** Bootstrap servers by listener name; PLAINTEXT is always there. */
  listeners: Readonly<Record<string, string>>;
  /** Process ids by broker index; 0 for one that does not run. */
  pids: number[];
  logFiles: string[];
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(index: number): Promise<void>;
  /** Stops the broker when it runs (cleanly) and starts it on the same ports; resolves when it serves again. */
  restart(index: number): Promise<void>;
  /** Settles when any broker ends that was not told to. */
  died: Promise<number>;
};

type Broker = {
  id: number;
  dir: string;
  ports: Record<string, number>;
  controllerPort: number;
  running?: Running | undefined;
};

/** Formats what is new, starts all brokers and waits until each of them lists all of them. */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const count = options.brokers ?? 1;
  const version = options.version ?? pinnedVersion('kafka');
  const say = options.say ?? (() => {});
  const jvm = await prepareKafka(await kafkaFiles(version, say), version, say);
  await Promise.all(
    Array.from({ length: count }, (_, index) => openDataDir(join(options.dataDir, `broker-${index + 1}`))),
  );
  const attempts = options.port ? 1 : 3;
  for (let attempt = 1; ; attempt += 1) {
    const brokers = await layOut(options, count);
    try {
      return await startAll(options, brokers, jvm);
    } catch (error) {
      await Promise.all(brokers.map((broker) => broker.running?.kill()));
      if (attempt === attempts || !brokers.some((broker) => portWasTaken(broker))) throw error;
    }
  }
}

async function layOut(options: KafkaOptions, count: number): Promise<Broker[]> {
  const brokers: Broker[] = [];
  for (let index = 0; index < count; index += 1) {
    const ports: Record<string, number> = {};
    ports.PLAINTEXT = index === 0 && options.port ? options.port : await freePort();
    for (const name of Object.keys(options.extraListeners ?? {})) ports[name] = await freePort();
    brokers.push({
      id: index + 1,
      dir: join(options.dataDir, `broker-${index + 1}`),
      ports,
      controllerPort: await freePort(),
    });
  }
  return brokers;
}

async function startAll(options: KafkaOptions, brokers: Broker[], jvm: KafkaJvm): Promise<Kafka> {
  let stopping = false;
  let tellDeath: (index: number) => void = () => {};
  const died = new Promise<number>((resolve) => {
    tellDeath = resolve;
  });
  const clusterId = knownClusterId(brokers) ?? randomBytes(16).toString('base64url');
  const pids = brokers.map(() => 0);
  const expected = new Set<Running>();
  const start = async (broker: Broker) => {
    format(broker, clusterId, jvm);
    writeFileSync(join(broker.dir, 'server.properties'), properties(options, broker, brokers));
    const { command, args } = javaCommand(jvm, options.heapMb ?? 384, ['kafka.Kafka', 'server.properties']);
    const running = await startProgram({
      command,
      args,
      cwd: broker.dir,
      output: { file: logFile(broker) },
      env: jvm.env,
    });
    broker.running = running;
    pids[broker.id - 1] = running.pid;
    claim(broker.dir, running.pid);
    void running.exited.then(() => {
      pids[broker.id - 1] = 0;
      if (!stopping && !expected.has(running)) tellDeath(broker.id - 1);
    });
  };
  const ready = (broker: Broker, alive: number) => {
    const what = `Kafka broker ${broker.id}`;
    return waitUntilReady(
      { what, running: broker.running as Running, logFile: logFile(broker), timeoutMs: 60_000 },
      () => listsBrokers(broker.ports.PLAINTEXT as number, alive),
    );
  };
  const at = (index: number) => {
    const broker = brokers[index];
    if (broker === undefined) throw new RangeError(`no broker ${index}, there are ${brokers.length}`);
    return broker;
  };
  await Promise.all(brokers.map(start));
  await Promise.all(brokers.map((broker) => ready(broker, brokers.length)));
  const bootstrap = (name: string) => brokers.map((broker) => `127.0.0.1:${broker.ports[name]}`).join(',');
  return {
    brokers: bootstrap('PLAINTEXT'),
    listeners: Object.fromEntries(Object.keys(at(0).ports).map((name) => [name, bootstrap(name)])),
    pids,
    logFiles: brokers.map(logFile),
    died,
    async stop() {
      stopping = true;
      await Promise.all(brokers.map((broker) => broker.running?.stop()));
      for (const broker of brokers) unclaim(broker.dir);
    },
    async kill(index) {
      const { running } = at(index);
      if (running === undefined) return;
      expected.add(running);
      await running.kill();
    },
    async restart(index) {
      const broker = at(index);
      if (broker.running !== undefined) {
        expected.add(broker.running);
        await broker.running.stop();
      }
      await start(broker);
      await ready(broker, brokers.filter((each) => each.running?.exit() === undefined).length);
    },
  };
}

const logFile = (broker: Broker) => join(broker.dir, 'server.log');

function portWasTaken(broker: Broker): boolean {
  return /Address already in use|BindException/.test(logTail(logFile(broker), 60));
}

function knownClusterId(brokers: readonly Broker[]): string | undefined {
  for (const broker of brokers) {
    const meta = join(broker.dir, 'data', 'meta.properties');
    const id = existsSync(meta) ? /^cluster\.id=(.+)$/m.exec(readFileSync(meta, 'utf8'))?.[1] : undefined;
    if (id !== undefined) return id.trim();
  }
  return undefined;
}

// The same two files as `kafka-storage.sh format` writes for a static quorum (KIP-631, KIP-858). Written whole or not at all.
function format(broker: Broker, clusterId: string, jvm: KafkaJvm): void {
  const data = join(broker.dir, 'data');
  const meta = join(data, 'meta.properties');
  if (existsSync(meta)) return;
  mkdirSync(data, { recursive: true });
  copyFileSync(jvm.bootstrapCheckpoint, join(data, 'bootstrap.checkpoint'));
  const lines = [
    'version=1',
    `cluster.id=${clusterId}`,
    `node.id=${broker.id}`,
    `directory.id=${directoryId()}`,
  ];
  writeFileSync(`${meta}.new`, `${lines.join('\n')}\n`);
  renameSync(`${meta}.new`, meta);
}

// Kafka's Uuid.randomUuid avoids a leading dash, because the id is used on command lines.
function directoryId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

function properties(options: KafkaOptions, broker: Broker, all: readonly Broker[]): string {
  const extra = options.extraListeners ?? {};
  const replicas = String(all.length);
  const listeners = Object.entries(broker.ports).map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const protocols = Object.entries({ PLAINTEXT: 'PLAINTEXT', CONTROLLER: 'PLAINTEXT', ...extra });
  const ours: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': all.map((each) => `${each.id}@127.0.0.1:${each.controllerPort}`).join(','),
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${broker.controllerPort}`].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map': protocols.map(([name, protocol]) => `${name}:${protocol}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    // Relative to the working folder: the property is a comma-separated list and the file is Latin-1, an absolute path may hold anything.
    'log.dirs': 'data',
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // After a crash the controller refuses a broker until its old session has run out (9 s by default): that is the restart time.
    'broker.session.timeout.ms': all.length > 1 ? '6000' : '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '8388608',
    ...options.extraProperties,
  };
  return `${Object.entries(ours)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
    .join('\n')}\n`;
}

// The local stack in two halves: the servers (embedded, or the ones that the environment names) and Tocsin's services on top.
// Invariant: what was started is stopped in reverse order, also when the start of a later part fails.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './home.ts';
import { freePort, portOrFree } from './ports.ts';
import { startKafka } from './servers/kafka.ts';
import { startPostgres } from './servers/postgres.ts';
import { startRedis } from './servers/redis.ts';
import { type Service, type Supervised, supervise } from './supervise.ts';
import { createMissingTopics } from './topics.ts';

type Say = (line: string) => void;

export type ServerUrls = { KAFKA_BROKERS: string; REDIS_URL: string; DATABASE_URL: string };

export type Servers = {
  env: ServerUrls;
  /** The names of the variables that came from the environment; those servers are not ours. */
  given: (keyof ServerUrls)[];
  /** Resolves with a sentence when one of ours ends that was not told to. */
  died: Promise<string>;
  stop(): Promise<void>;
};

export type ServerOptions = {
  /** Data goes to `kafka`, `redis` and `postgres` below it. */
  home: string;
  env?: NodeJS.ProcessEnv;
  /** Use 9092, 6379 and 5432 when they are free; otherwise (default) any free port. */
  standardPorts?: boolean;
  say?: Say;
};

type Stoppable = { stop(): Promise<void> };

/** Starts Kafka, Redis and PostgreSQL together; whatever the environment names is used instead. */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { home, env = process.env, say = () => {} } = options;
  mkdirSync(home, { recursive: true });
  const started: Stoppable[] = [];
  const given: (keyof ServerUrls)[] = [];
  let tellDeath: (sentence: string) => void = () => {};
  let stopping = false;
  const died = new Promise<string>((resolve) => {
    tellDeath = (sentence) => stopping || resolve(sentence);
  });
  const port = (wanted: number) => (options.standardPorts ? portOrFree(wanted) : freePort());
  const outside = (name: keyof ServerUrls): string | undefined => {
    if (env[name]) given.push(name);
    return env[name] || undefined;
  };
  const kafka = async () => {
    const server = await startKafka({ dataDir: join(home, 'kafka'), port: await port(9092), say });
    started.push(server);
    void server.died.then(() => tellDeath(`Kafka ended; its log is ${server.logFiles[0]}`));
    return server.brokers;
  };
  const redis = async () => {
    const server = await startRedis({ dataDir: join(home, 'redis'), port: await port(6379), say });
    started.push(server);
    void server.exited.then(() => tellDeath(`Redis ended; its log is ${server.logFile}`));
    return server.url;
  };
  const postgres = async () => {
    const server = await startPostgres({ dataDir: join(home, 'postgres'), port: await port(5432), say });
    started.push(server);
    void server.exited.then(() => tellDeath(`PostgreSQL ended; its log is ${server.logFile}`));
    return server.url;
  };
  const stop = async () => {
    stopping = true;
    await Promise.all(started.map((server) => server.stop()));
  };
  const results = await Promise.allSettled([
    outside('KAFKA_BROKERS') ?? kafka(),
    outside('REDIS_URL') ?? redis(),
    outside('DATABASE_URL') ?? postgres(),
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const [brokers, redisUrl, databaseUrl] = results.map(
    (result) => (result as PromiseFulfilledResult<string>).value,
  );
  return {
    env: { KAFKA_BROKERS: brokers ?? '', REDIS_URL: redisUrl ?? '', DATABASE_URL: databaseUrl ?? '' },
    given,
    died,
    stop,
  };
}

export type ServiceOptions = {
  /** Logs go to `logs`, the keyring and the first API key beside them. */
  home: string;
  servers: ServerUrls;
  /** Passed to every service on top of this process's environment. */
  env?: Readonly<Record<string, string>>;
  /** Which services; default all that have a `main.ts`. */
  names?: readonly string[];
  /** Try 8080, 8081, … first (default: any free port). */
  standardPorts?: boolean;
  say?: Say;
};

export type Services = Supervised & {
  /** `http://127.0.0.1:<port>` by name; for config-api it is the API itself. */
  urls: Readonly<Record<string, string>>;
  /** Where `/health` and `/metrics` are, by name. */
  healthUrls: Readonly<Record<string, string>>;
  logFiles: Readonly<Record<string, string>>;
  /** Where config-api wrote the first API key, when it made one. */
  firstKeyFile: string;
};

/** In the order of starting; config-api first because it migrates the database. */
const ORDER = ['config-api', 'recorder', 'actions', 'playbooks', 'sinks', 'collector', 'evaluator'];

/** The services of this checkout: folders of `services/` with a `main.ts`, but for the agent, which belongs on other hosts. */
export function serviceNames(): string[] {
  const all = readdirSync(join(repository, 'services')).filter(
    (name) => name !== 'agent' && existsSync(join(repository, 'services', name, 'main.ts')),
  );
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** Creates the topics that are missing, starts the services and answers; wait with `healthy(ms)`. */
export async function startServices(options: ServiceOptions): Promise<Services> {
  const { home, say = () => {} } = options;
  mkdirSync(home, { recursive: true });
  const firstKeyFile = join(home, 'first-api-key');
  const shared = {
    ...process.env,
    LOG_LEVEL: process.env.LOG_LEVEL || 'info',
    // Buffers are freed by several threads; glibc keeps less of them back with few arenas.
    MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX || '2',
    ...options.servers,
    SECRETS_KEY_FILE: process.env.SECRETS_KEY_FILE || ensureKeyring(join(home, 'keyring.json')),
    BOOTSTRAP_KEY_FILE: process.env.BOOTSTRAP_KEY_FILE || firstKeyFile,
    ACTION_LOG_FILE: process.env.ACTION_LOG_FILE || join(home, 'logs', 'log-action.log'),
    REPORT_DIR: process.env.REPORT_DIR || join(home, 'reports'),
    EXPORT_DIR: process.env.EXPORT_DIR || join(home, 'exports'),
    ...options.env,
  };
  await createMissingTopics(shared);
  const stack = ensureStackId(join(home, 'stack-id'));
  const urls: Record<string, string> = {};
  const healthUrls: Record<string, string> = {};
  const services: Service[] = [];
  let wanted = 8080;
  for (const name of options.names ?? serviceNames()) {
    const port = options.standardPorts ? await portOrFree(wanted++) : await freePort();
    // The API keeps people's port and the machines' port apart (HEALTH_PORT); the others have only the second.
    const healthPort = name === 'config-api' ? await freePort() : port;
    urls[name] = `http://127.0.0.1:${port}`;
    healthUrls[name] = `http://127.0.0.1:${healthPort}`;
    services.push({
      name,
      command: process.execPath,
      args: [join(repository, 'services', name, 'main.ts')],
      env: {
        KAFKA_INSTANCE_ID: `${name}-${stack}`,
        ...shared,
        HTTP_PORT: String(port),
        HEALTH_PORT: String(healthPort),
      },
      logFile: join(home, 'logs', `${name}.log`),
      health: `${healthUrls[name]}/health`,
    });
  }
  const logFiles = Object.fromEntries(services.map((service) => [service.name, service.logFile]));
  return { ...supervise(services, say), urls, healthUrls, logFiles, firstKeyFile };
}

/** Tells this stack from others on the same brokers: two members of one group must not have one name. Made once. */
export function ensureStackId(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(4).toString('hex')}\n`);
  return readFileSync(file, 'utf8').trim();
}

/** The key that encrypts stored secrets; made once, readable for its owner only, never overwritten. */
export function ensureKeyring(file: string): string {
  if (!existsSync(file)) {
    const keyring = { active: 'k1', keys: { k1: randomBytes(32).toString('base64') } };
    writeFileSync(file, `${JSON.stringify(keyring)}\n`, { mode: 0o400, flag: 'wx' });
  }
  return file;
}

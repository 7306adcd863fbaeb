// Gets the embedded servers through Maven into the cache, once; afterwards no Maven and no network is used.
// Invariant: a folder in the cache is complete or absent (filled aside, checked, renamed), and one process fills it at a time.
// Surprise: Maven's own repository is left alone unless the user's home cannot be written; then the cache holds that too.
import { spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { repository, tocsinHome } from '../home.ts';
import { waitForLock } from '../lock.ts';
import { logTail } from '../process.ts';
import { findJava } from './java.ts';

export type Say = (line: string) => void;
export type ServerFiles = { kafka: string; postgres: string; redis: string };

const POM = join(repository, 'infra/local/pom.xml');

/** A version as the pom states it: `kafka`, `postgres` or `redis`. */
export function pinnedVersion(server: string): string {
  const version = new RegExp(`<${server}\\.version>([^<]+)<`).exec(readFileSync(POM, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${POM} states no version of ${server}`);
  return version;
}

export type Platform = { postgres: string; redis: string };

/** Names that the two binary jars use for this machine. Throws one line where there is no build. */
export function platformNames(
  os: string = process.platform,
  arch: string = process.arch,
  musl = isMusl(),
): Platform {
  const known: Record<string, Platform> = {
    'linux-x64': { postgres: 'linux-amd64', redis: 'redis-server-6.2.6-v5-linux-amd64' },
    'linux-arm64': { postgres: 'linux-arm64v8', redis: 'redis-server-6.2.7-linux-arm64' },
    'darwin-x64': { postgres: 'darwin-amd64', redis: 'redis-server-6.2.6-v5-darwin-amd64' },
    'darwin-arm64': { postgres: 'darwin-arm64v8', redis: 'redis-server-6.2.6-v5-darwin-arm64' },
  };
  const names = musl ? undefined : known[`${os}-${arch}`];
  if (names !== undefined) return names;
  throw new Error(
    `No embedded PostgreSQL and Redis for ${os}-${arch}${musl ? ' with musl' : ''}: set KAFKA_BROKERS, REDIS_URL and DATABASE_URL to servers of your own.`,
  );
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime === undefined;
}

/** The folder with Kafka's jars; fetched first when it is not there. */
export async function kafkaFiles(version = pinnedVersion('kafka'), say: Say = () => {}): Promise<string> {
  const folder = join(tocsinHome(), 'cache', `kafka-${version}`);
  if (!isComplete(folder)) await fetch(version, say);
  return folder;
}

/** PostgreSQL's folder (`bin`, `lib`, `share`) and the Redis binary; fetched first when they are not there. */
export async function binaryFiles(say: Say = () => {}): Promise<{ postgres: string; redis: string }> {
  const folder = binariesFolder();
  if (!isComplete(folder)) await fetch(pinnedVersion('kafka'), say);
  return { postgres: join(folder, 'postgres'), redis: join(folder, 'redis-server') };
}

function binariesFolder(): string {
  const name = `binaries-${platformNames().postgres}-postgres-${pinnedVersion('postgres')}-redis-${pinnedVersion('redis')}`;
  return join(tocsinHome(), 'cache', name);
}

const underWay = new Map<string, Promise<void>>();

// Kafka, PostgreSQL and Redis of one process ask at the same moment; one of them fetches for all.
function fetch(kafkaVersion: string, say: Say): Promise<void> {
  const running = underWay.get(kafkaVersion);
  if (running !== undefined) return running;
  const mine = fetchAlone(kafkaVersion, say).finally(() => underWay.delete(kafkaVersion));
  underWay.set(kafkaVersion, mine);
  return mine;
}

async function fetchAlone(kafkaVersion: string, say: Say): Promise<void> {
  const cache = join(tocsinHome(), 'cache');
  mkdirSync(cache, { recursive: true });
  const lock = await waitForLock(join(cache, 'lock'), (pid) =>
    say(`waiting for process ${pid}, which is fetching the servers`),
  );
  const staging = join(cache, `staging-${process.pid}`);
  try {
    const kafka = join(cache, `kafka-${kafkaVersion}`);
    const binaries = binariesFolder();
    const needKafka = !isComplete(kafka);
    const needBinaries = !isComplete(binaries);
    if (!needKafka && !needBinaries) return;
    for (const name of readdirSync(cache))
      if (name.startsWith('staging-')) rmSync(join(cache, name), { recursive: true, force: true });
    mkdirSync(staging);
    say(
      `fetching Kafka ${kafkaVersion}${needBinaries ? ', PostgreSQL and Redis' : ''} through Maven (once, about 75 MB)`,
    );
    await runMaven(staging, kafkaVersion, needBinaries, say);
    if (needKafka) publish(join(staging, 'kafka'), kafka);
    if (needBinaries) publish(unpack(staging, say), binaries);
  } finally {
    rmSync(staging, { recursive: true, force: true });
    lock.release();
  }
}

async function runMaven(staging: string, kafkaVersion: string, others: boolean, say: Say): Promise<void> {
  const java = findJava();
  const log = join(staging, '..', 'maven.log');
  const args = [
    '-B',
    '-f',
    POM,
    `-Dcache=${staging}`,
    `-Dkafka.version=${kafkaVersion}`,
    `-Dplatform=${platformNames().postgres}`,
  ];
  if (!others) args.push('-Dbinaries.skip=true');
  if (!writable(mavenRepository())) args.push(`-Dmaven.repo.local=${join(staging, '..', 'm2')}`);
  const env = java.home === '/usr' ? process.env : { ...process.env, JAVA_HOME: java.home };
  const child = spawn('mvn', [...args, 'validate'], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  let files = 0;
  let told = performance.now();
  const take = (chunk: string) => {
    output += chunk;
    files += chunk.split('Downloaded from').length - 1;
    if (performance.now() - told > 5_000) {
      told = performance.now();
      say(`  ${files} files downloaded`);
    }
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  });
  writeFileSync(log, output);
  if (code === 'ENOENT') {
    throw new Error(
      'Maven is needed once to fetch the embedded servers: install it (Debian: apt install maven, macOS: brew install maven).',
    );
  }
  if (code !== 0) {
    const errors = output.split('\n').filter((line) => line.startsWith('[ERROR]'));
    throw new Error(
      `Maven could not fetch the servers (${code}); all of its output is in ${log}\n${errors.slice(0, 3).join('\n') || logTail(log, 3)}`,
    );
  }
}

function unpack(staging: string, say: Say): string {
  say('unpacking PostgreSQL and Redis');
  const names = platformNames();
  const jars = join(staging, 'jars');
  const to = join(staging, 'binaries');
  const classpath = ['ant.jar', 'ant-launcher.jar', 'ant-xz.jar', 'xz.jar']
    .map((jar) => join(jars, jar))
    .join(':');
  const script = join(repository, 'infra/local/servers/unpack.xml');
  const definitions = [
    `-Djars=${jars}`,
    `-Dto=${to}`,
    `-Dplatform=${names.postgres}`,
    `-Dredis=${names.redis}`,
  ];
  mkdirSync(join(to, 'postgres'), { recursive: true });
  must(findJava().binary, [
    '-cp',
    classpath,
    'org.apache.tools.ant.launch.Launcher',
    '-noinput',
    '-q',
    '-f',
    script,
    ...definitions,
  ]);
  must('tar', ['-xf', join(to, 'postgres.tar'), '-C', join(to, 'postgres')]);
  rmSync(join(to, 'postgres.tar'));
  chmodSync(join(to, 'redis-server'), 0o755);
  // PostgreSQL may run as another user than the one who fetches; a strict umask must not hide it.
  must('chmod', ['-R', 'a+rX', to]);
  return to;
}

function must(command: string, args: string[]): void {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  if (run.status === 0) return;
  throw new Error(
    `${command} failed (${run.error?.message ?? run.status}): ${`${run.stderr ?? ''}${run.stdout ?? ''}`.trim()}`,
  );
}

function publish(from: string, to: string): void {
  const files = readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(from.length + 1));
  const sizes = Object.fromEntries(files.map((file) => [file, statSync(join(from, file)).size]));
  writeFileSync(join(from, 'complete.json'), JSON.stringify(sizes));
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

/** True when every file that was published is still there in its size; a half-deleted cache is fetched again. */
function isComplete(folder: string): boolean {
  try {
    const sizes = JSON.parse(readFileSync(join(folder, 'complete.json'), 'utf8')) as Record<string, number>;
    return Object.entries(sizes).every(([file, size]) => statSync(join(folder, file)).size === size);
  } catch {
    return false;
  }
}

// Java takes the home from the user database, whatever HOME says. A user without an entry there has none.
function mavenRepository(): string {
  try {
    return join(userInfo().homedir, '.m2', 'repository');
  } catch {
    return '/nonexistent';
  }
}

function writable(path: string): boolean {
  let nearest = path;
  while (!existsSync(nearest) && nearest !== dirname(nearest)) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

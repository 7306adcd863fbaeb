// How a Kafka broker's JVM is started fast: serial collector, first compiler only, and class data sharing (JEP 350).
// Surprise: the archive belongs to one Java build and one class path; another one ignores it without a word and only starts slower.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { repository, tocsinHome } from '../home.ts';
import { waitForLock } from '../lock.ts';
import { freePort } from '../ports.ts';
import { startProgram, waitUntilReady } from '../process.ts';
import type { Say } from './fetch.ts';
import { findJava, type Java } from './java.ts';
import { listsBrokers } from './kafka-probe.ts';

export type KafkaJvm = {
  java: Java;
  classPath: string;
  /** Feature levels of the release as `kafka-storage.sh format` writes them; the same for every cluster. */
  bootstrapCheckpoint: string;
  archive: string;
  env: NodeJS.ProcessEnv;
};

const FAST = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** Makes, once per Kafka release and Java build, what later starts reuse. */
export async function prepareKafka(folder: string, version: string, say: Say): Promise<KafkaJvm> {
  const java = findJava();
  const jars = readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .sort();
  const classPath = jars.map((name) => join(folder, name)).join(':');
  const key = createHash('sha256')
    .update(`${java.version}\n${java.binary}\n${classPath}`)
    .digest('hex')
    .slice(0, 12);
  const { JAVA_TOOL_OPTIONS: _tool, JDK_JAVA_OPTIONS: _jdk, CLASSPATH: _path, ...env } = process.env;
  const jvm: KafkaJvm = {
    java,
    classPath,
    bootstrapCheckpoint: join(folder, 'bootstrap.checkpoint'),
    archive: join(folder, `classes-${key}.jsa`),
    env,
  };
  if (existsSync(jvm.bootstrapCheckpoint) && existsSync(jvm.archive)) return jvm;
  const lock = await waitForLock(join(tocsinHome(), 'cache', 'lock'));
  const scratch = mkdtempSync(join(tocsinHome(), 'cache', 'staging-'));
  try {
    if (!existsSync(jvm.bootstrapCheckpoint) || !existsSync(jvm.archive)) {
      say(`preparing Kafka ${version} for Java ${java.version}`);
      await formatAndArchive(jvm, scratch);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    lock.release();
  }
  return jvm;
}

/** The command line of one of Kafka's programs. */
export function javaCommand(
  jvm: KafkaJvm,
  heapMb: number,
  program: readonly string[],
  options: readonly string[] = [],
) {
  const archive = existsSync(jvm.archive) ? [`-XX:SharedArchiveFile=${jvm.archive}`] : [];
  const log = `-Dlog4j2.configurationFile=${join(repository, 'infra/local/servers/log4j2.properties')}`;
  const memory = [`-Xmx${heapMb}m`, `-Xms${Math.min(heapMb, 128)}m`];
  const args = [...FAST, ...archive, ...memory, ...options, log, '-cp', jvm.classPath, ...program];
  return { command: jvm.java.binary, args };
}

// One broker runs until it serves and writes down, while it ends, every class it loaded.
async function formatAndArchive(jvm: KafkaJvm, scratch: string): Promise<void> {
  const port = await freePort();
  writeProperties(scratch, port, await freePort());
  const clusterId = 'dG9jc2luLXdhcm0tdXAtMQ';
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', 'server.properties'];
  const tool = javaCommand(jvm, 128, format);
  const run = spawnSync(tool.command, tool.args, { cwd: scratch, env: jvm.env, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`Kafka could not format its storage: ${run.stderr}${run.stdout}`);
  const checkpoint = join(scratch, 'bootstrap.checkpoint');
  copyFileSync(join(scratch, 'data', 'bootstrap.checkpoint'), checkpoint);
  const made = join(scratch, 'classes.jsa');
  const options = [`-XX:ArchiveClassesAtExit=${made}`];
  const { command, args } = javaCommand(jvm, 384, ['kafka.Kafka', 'server.properties'], options);
  const output = { file: join(scratch, 'server.log') };
  const running = await startProgram({ command, args, cwd: scratch, env: jvm.env, output, graceSeconds: 60 });
  try {
    const ready = { what: 'Kafka', running, logFile: output.file, timeoutMs: 60_000 };
    await waitUntilReady(ready, () => listsBrokers(port, 1));
  } finally {
    await running.stop();
  }
  if (existsSync(made)) renameSync(made, jvm.archive);
  renameSync(checkpoint, jvm.bootstrapCheckpoint);
}

function writeProperties(scratch: string, port: number, controller: number): void {
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'controller.listener.names=CONTROLLER',
    'log.dirs=data',
  ];
  writeFileSync(join(scratch, 'server.properties'), `${lines.join('\n')}\n`);
}

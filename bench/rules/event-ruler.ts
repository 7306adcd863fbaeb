// event-ruler as a subject: fetched through Maven once, its program compiled by javac once, both kept in the local cache.
// Invariant: the folder in the cache is complete or absent; one process fills it at a time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tocsinHome } from '@tocsin/local/home.ts';
import { waitForLock } from '@tocsin/local/lock.ts';
import { findJava } from '@tocsin/local/servers/java.ts';
import { type Subject, startSubject } from './subject.ts';

export interface EventRulerBuilt {
  readonly rules: number;
  readonly build_ms: number;
  /** Live heap that the rules added. */
  readonly heap_bytes: number;
}

/** A way to run it: the garbage collector, and the options of its Machine.Builder. */
export interface EventRulerSetup {
  readonly name: string;
  readonly java: readonly string[];
  /** `reuse`: withAdditionalNameStateReuse; `flat`: without withStructuredMatching. */
  readonly machine: readonly ('reuse' | 'flat')[];
}

// Far more memory than it needs, so that collecting garbage costs next to nothing.
const heap = ['-Xms3g', '-Xmx3g', '-Xmn2g'];

export const setups: readonly [EventRulerSetup, ...EventRulerSetup[]] = [
  { name: 'serial', java: ['-XX:+UseSerialGC', ...heap], machine: [] },
  { name: 'parallel', java: ['-XX:+UseParallelGC', ...heap], machine: [] },
  { name: 'serial, flat', java: ['-XX:+UseSerialGC', ...heap], machine: ['flat'] },
  { name: 'serial, reuse', java: ['-XX:+UseSerialGC', ...heap], machine: ['reuse'] },
];

const source = fileURLToPath(new URL('./EventRulerSubject.java', import.meta.url));
const pom = fileURLToPath(new URL('./pom.xml', import.meta.url));

export function startEventRuler(
  folder: string,
  setup: EventRulerSetup,
  patterns: string,
  events: string,
): Promise<Subject<EventRulerBuilt>> {
  const classpath = `${join(folder, 'classes')}:${join(folder, 'jars')}/*`;
  const args = [...setup.java, '-cp', classpath, 'EventRulerSubject', patterns, events, ...setup.machine];
  return startSubject(findJava().binary, args);
}

/** The folder with `jars` and `classes`; fetched and compiled first when it is not there. Needs a JDK and Maven then. */
export async function eventRulerFolder(say: (line: string) => void): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(source)).update(readFileSync(pom)).digest('hex');
  const cache = join(tocsinHome(), 'cache');
  const folder = join(cache, `event-ruler-${digest.slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const lock = await waitForLock(join(cache, 'event-ruler-lock'));
  // Not `staging-*`: the fetcher of the servers removes those under its own lock.
  const staging = join(cache, `event-ruler-staging-${process.pid}`);
  try {
    if (existsSync(folder)) return folder;
    say('fetching event-ruler through Maven (once, 3 MB)');
    const jars = join(staging, 'jars');
    mkdirSync(jars, { recursive: true });
    must('mvn', ['-B', '-q', '-f', pom, `-Dcache=${jars}`, 'validate'], 'Maven');
    const javac = join(findJava().home, 'bin', 'javac');
    must(
      existsSync(javac) ? javac : 'javac',
      ['-d', join(staging, 'classes'), '-cp', `${jars}/*`, source],
      'a JDK',
    );
    renameSync(staging, folder);
    return folder;
  } finally {
    rmSync(staging, { recursive: true, force: true });
    lock.release();
  }
}

function must(command: string, args: readonly string[], what: string): void {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  if (run.status === 0) return;
  if ((run.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw new Error(`${what} is needed for this benchmark, and ${command} was not found`);
  const output = `${run.stdout ?? ''}${run.stderr ?? ''}`.trim().split('\n').slice(-5).join('\n');
  throw new Error(`${command} failed (${run.error?.message ?? run.status}): ${output}`);
}

// Finds a Java that runs Kafka 4 (17 or newer) and says in one line what to install when there is none.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const MINIMUM_JAVA = 17;

export type Java = { home: string; binary: string; major: number; version: string };

/** `17.0.15` of `openjdk version "17.0.15"`; 1.8 counts as 8. Undefined when the text is no `java -version` output. */
export function parseJavaVersion(text: string): { major: number; version: string } | undefined {
  const version = /version "([^"]+)"/.exec(text)?.[1];
  if (version === undefined) return undefined;
  const [first = '', second = ''] = version.split(/[.\-+_]/);
  const major = Number(first === '1' ? second : first);
  return Number.isInteger(major) && major > 0 ? { major, version } : undefined;
}

const found = new Map<number, Java>();

/** The first Java >= `minimum` of JAVA_HOME, PATH, the usual folders. Throws one line otherwise. */
export function findJava(env: NodeJS.ProcessEnv = process.env, minimum = MINIMUM_JAVA): Java {
  const known = found.get(minimum);
  if (known !== undefined && env === process.env) return known;
  const seen: string[] = [];
  for (const binary of candidates(env)) {
    const java = inspect(binary, env);
    if (java === undefined) continue;
    if (java.major < minimum) {
      seen.push(`${java.version} at ${binary}`);
      continue;
    }
    if (env === process.env) found.set(minimum, java);
    return java;
  }
  const have = seen.length === 0 ? 'none was found' : `found only ${seen.join(', ')}`;
  throw new Error(
    `Java ${minimum} or newer is needed (${have}): install it (Debian: apt install openjdk-${minimum}-jre-headless, macOS: brew install openjdk) or set JAVA_HOME.`,
  );
}

function* candidates(env: NodeJS.ProcessEnv): Generator<string> {
  if (env.JAVA_HOME) yield join(env.JAVA_HOME, 'bin', 'java');
  for (const folder of (env.PATH ?? '').split(':')) if (folder !== '') yield join(folder, 'java');
  // TOCSIN_JVM_FOLDERS exists so that a test can hide the machine's own Java.
  const folders = env.TOCSIN_JVM_FOLDERS?.split(':') ?? [
    '/usr/lib/jvm',
    '/usr/java',
    '/opt/java',
    '/Library/Java/JavaVirtualMachines',
    '/opt/homebrew/opt',
  ];
  for (const folder of folders) {
    let names: string[] = [];
    try {
      names = readdirSync(folder).sort().reverse();
    } catch {
      continue;
    }
    for (const name of names) {
      yield join(folder, name, 'bin', 'java');
      yield join(folder, name, 'Contents', 'Home', 'bin', 'java');
    }
  }
}

function inspect(binary: string, env: NodeJS.ProcessEnv): Java | undefined {
  if (!existsSync(binary)) return undefined;
  const run = spawnSync(binary, ['-version'], { encoding: 'utf8', env, timeout: 20_000 });
  const parsed = run.status === 0 ? parseJavaVersion(`${run.stderr}${run.stdout}`) : undefined;
  if (parsed === undefined) return undefined;
  return { home: dirname(dirname(realpathSync(binary))), binary, ...parsed };
}

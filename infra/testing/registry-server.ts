// A Confluent-compatible schema registry for tests: Apicurio Registry with its in-memory store, as a child process.
//
// Invariant: it dies with this process (startProgram), and the cache folder is complete or absent.
// Surprise: Maven's dependency plugin is pinned to 2.8: later ones read the artifact's parent POM, which repository mirrors may lack.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@tocsin/local/ports.ts';
import { type Running, startProgram, waitUntilReady } from '@tocsin/local/process.ts';
import { findJava } from '@tocsin/local/servers/java.ts';
import { cachedFolder, must } from './cache.ts';
import { scratchFolder } from './scratch.ts';

const version = '3.0.9';

export interface RegistryServer {
  /** Base URL of its Confluent API. */
  readonly url: string;
  readonly port: number;
  /** Ends it; what was registered is gone. */
  stop(): Promise<void>;
}

/** Starts it and waits until it answers, about 5 s; the first call on a machine fetches 109 MB. */
export async function startRegistry(options: { readonly port?: number } = {}): Promise<RegistryServer> {
  const folder = await registryFiles();
  const port = options.port ?? (await freePort());
  const scratch = scratchFolder('registry');
  const logFile = join(scratch.path, 'registry.log');
  const running: Running = await startProgram({
    command: findJava().binary,
    args: ['-Xmx512m', '-jar', join(folder, `apicurio-registry-app-${version}-runner.jar`)],
    cwd: scratch.path,
    env: { ...process.env, QUARKUS_HTTP_HOST: '127.0.0.1', QUARKUS_HTTP_PORT: String(port) },
    output: { file: logFile },
  });
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  await waitUntilReady({ what: 'Apicurio Registry', running, logFile, timeoutMs: 60_000 }, () =>
    answers(url),
  );
  const stop = async () => {
    await running.stop();
    scratch.remove();
  };
  return { url, port, stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

function registryFiles(): Promise<string> {
  return cachedFolder(`apicurio-registry-${version}`, (folder) => {
    must('mvn', [
      '-B',
      '-q',
      'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy',
      `-Dartifact=io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      `-DoutputDirectory=${folder}`,
    ]);
    const archive = join(folder, `apicurio-registry-app-${version}-all.tar.gz`);
    must('tar', ['-xzf', archive, '-C', folder]);
    rmSync(archive);
  });
}

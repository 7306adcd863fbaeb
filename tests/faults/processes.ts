// Services as processes that a test may kill and start again, and the documents that they read.
//
// Surprise: no supervisor here: its growing pauses between restarts would hide the kills that come close together.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '@tocsin/local/home.ts';
import { freePort } from '@tocsin/local/ports.ts';
import { type Exit, type Running, startProgram, waitUntilReady } from '@tocsin/local/process.ts';

export interface Process {
  readonly name: string;
  readonly url: string;
  readonly logFile: string;
  pid(): number;
  /** SIGKILL, now; the returned promise is the end of the process. */
  kill(): Promise<Exit>;
  /** SIGTERM, and how it ended. */
  stop(): Promise<Exit>;
  /** Starts it again at the same address, and waits until it is healthy. */
  start(): Promise<void>;
  healthy(timeoutMs?: number): Promise<void>;
}

export interface Processes {
  /** Starts a service; a second instance of the same one gets a number. */
  service(name: string, env?: Readonly<Record<string, string>>): Promise<Process>;
  /** Ends all of them, now. */
  end(): Promise<void>;
}

/** Logs go into `home`; `env` is that of every service. */
export function createProcesses(home: string, env: Readonly<Record<string, string>>): Processes {
  const started: { ended(): Promise<unknown> }[] = [];
  const counts = new Map<string, number>();

  return {
    async service(name, extra = {}) {
      const number = (counts.get(name) ?? 0) + 1;
      counts.set(name, number);
      const instance = number === 1 ? name : `${name}-${number}`;
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const logFile = join(home, `${instance}.log`);
      let running: Running;
      const healthy = (timeoutMs = 60_000) =>
        waitUntilReady({ what: instance, running, logFile, timeoutMs }, () => answers200(`${url}/health`));
      const start = async () => {
        running = await startProgram({
          command: process.execPath,
          args: [join(repository, 'services', name, 'main.ts')],
          env: { ...process.env, ...env, ...extra, HTTP_PORT: String(port) },
          output: { file: logFile },
          graceSeconds: 30,
        });
        await healthy();
      };
      started.push({ ended: async () => running?.kill() });
      await start();
      return {
        name,
        url,
        logFile,
        pid: () => running.pid,
        kill: () => running.kill(),
        stop: () => running.stop(),
        start,
        healthy,
      };
    },
    end: async () => void (await Promise.all(started.map((each) => each.ended()))),
  };
}

/** Writes documents into a folder that CONFIG_DIR names, one file each. */
export function writeDocuments(folder: string, documents: readonly object[]): void {
  for (const document of documents) {
    const { kind, id } = document as { kind: string; id: string };
    writeFileSync(join(folder, `${kind}-${id}.json`), JSON.stringify(document));
  }
}

async function answers200(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).status === 200;
  } catch {
    return false;
  }
}

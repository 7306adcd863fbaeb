// Starts a server that is one child process with one port and one data folder, and waits until it serves.
// Invariant: the folder is claimed while the process lives, so that no second one is started on it.
// Surprise: a free port may be taken by somebody else before the server binds it; only then another one is tried.
import { join } from 'node:path';
import { freePort } from '../ports.ts';
import { logTail, type Program, type Running, startProgram, waitUntilReady } from '../process.ts';
import { claim, unclaim } from './data-dir.ts';
import type { Say } from './fetch.ts';

export type OwnServerOptions = {
  dataDir: string;
  /** 0 (default) takes a free one. */
  port?: number;
  say?: Say;
};

export type OwnServer = {
  /** With credentials. */
  url: string;
  pid: number;
  logFile: string;
  stop(): Promise<void>;
  /** SIGKILL of all of it (crash tests). */
  kill(): Promise<void>;
  exited: Promise<unknown>;
};

export type OwnServerProgram = {
  /** Name for messages. */
  what: string;
  /** Made ready by `openDataDir`; the working folder. */
  dataDir: string;
  port: number | undefined;
  timeoutMs: number;
  program: (port: number) => Omit<Program, 'cwd' | 'output'>;
  /** Does it serve on this port? */
  serves: (port: number) => Promise<boolean>;
  url: (port: number) => string;
};

const ATTEMPTS = 3;

/** Throws with the end of the server's log when it ends first or is not ready in time. */
export async function startOwnServer(server: OwnServerProgram): Promise<OwnServer> {
  const { what, dataDir, timeoutMs } = server;
  const logFile = join(dataDir, 'server.log');
  for (let attempt = 1; ; attempt += 1) {
    const port = server.port || (await freePort());
    const running = await startProgram({
      ...server.program(port),
      cwd: dataDir,
      output: { file: logFile },
    });
    claim(dataDir, running.pid);
    try {
      await waitUntilReady({ what, running, logFile, timeoutMs }, () => server.serves(port));
      return serving(server.url(port), running, dataDir, logFile);
    } catch (error) {
      const taken = /Address already in use/.test(logTail(logFile));
      if (server.port || attempt === ATTEMPTS || !taken) throw error;
    }
  }
}

function serving(url: string, running: Running, dataDir: string, logFile: string): OwnServer {
  return {
    url,
    pid: running.pid,
    logFile,
    exited: running.exited,
    async stop() {
      await running.stop();
      unclaim(dataDir);
    },
    async kill() {
      await running.kill();
    },
  };
}

// Keeps a set of named programs running: starts them together, waits for their health, restarts what dies, stops in reverse order.
// Invariant: after `stop()` none of them runs; a restart is always said, with how the program ended.
import { createWriteStream, mkdirSync, statSync, truncateSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { warningLine } from './log-lines.ts';
import { logTail, type Running, startProgram } from './process.ts';

export type Service = {
  name: string;
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** Takes all of its output. */
  logFile: string;
  /** Answers 200 when it is ready. */
  health: string;
};

export type Supervised = {
  /** Process id by name; undefined while it does not run. */
  pid(name: string): number | undefined;
  /** SIGKILL; it is started again like after any other death. */
  kill(name: string): Promise<void>;
  /** Ends one for good. */
  end(name: string): Promise<void>;
  /** Resolves when all are healthy now; rejects with what is not after `timeoutMs`. */
  healthy(timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
};

type Say = (line: string) => void;

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const STEADY_MS = 60_000;
const PLAIN_LINES = 6;
/** Deaths in a row after which waiting for health is given up. */
const HOPELESS = 4;

type Kept = {
  service: Service;
  log: WriteStream;
  running?: Running | undefined;
  ended: boolean;
  /** Deaths in a row; a steady minute resets it. */
  failures: number;
  loop: Promise<void>;
};

/** Starts all; answers at once, see `healthy`. `say` gets restarts and the warnings that the programs write. */
export function supervise(services: readonly Service[], say: Say): Supervised {
  const stopping = new AbortController();
  const kept = new Map<string, Kept>();
  for (const service of services) {
    const entry: Kept = {
      service,
      log: openLog(service.logFile),
      ended: false,
      failures: 0,
      loop: Promise.resolve(),
    };
    kept.set(service.name, entry);
    entry.loop = keepRunning(entry, stopping.signal, say);
  }
  const find = (name: string) => {
    const entry = kept.get(name);
    if (entry === undefined) throw new RangeError(`no service ${name}`);
    return entry;
  };
  const end = async (entry: Kept) => {
    entry.ended = true;
    await entry.running?.stop();
  };
  return {
    pid: (name) => find(name).running?.pid,
    kill: async (name) => void (await find(name).running?.kill()),
    end: (name) => end(find(name)),
    healthy: (timeoutMs) => allHealthy([...kept.values()], timeoutMs, stopping.signal),
    async stop() {
      stopping.abort();
      for (const entry of [...kept.values()].reverse()) {
        await end(entry);
        await entry.loop;
        entry.log.end();
      }
    },
  };
}

/** Pause before the n-th start in a row (n from 1), ms. */
export function restartPause(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
}

async function keepRunning(entry: Kept, stopping: AbortSignal, say: Say): Promise<void> {
  const { service } = entry;
  while (!entry.ended && !stopping.aborted) {
    const since = performance.now();
    let how: string;
    try {
      entry.running = await startProgram({ ...service, output: 'pipe', graceSeconds: 30 });
      if (entry.ended || stopping.aborted) void entry.running.stop();
      copyOutput(entry, say);
      const exit = await entry.running.exited;
      how = exit.signal ?? `code ${exit.code}`;
    } catch (error) {
      how = (error as Error).message;
    }
    entry.running = undefined;
    if (entry.ended || stopping.aborted) return;
    entry.failures = performance.now() - since > STEADY_MS ? 1 : entry.failures + 1;
    const pause = restartPause(entry.failures);
    say(`${service.name} ended (${how}); starting it again in ${pause / 1000} s. Log: ${service.logFile}`);
    await delay(pause, undefined, { signal: stopping }).catch(() => {});
  }
}

function copyOutput(entry: Kept, say: Say): void {
  let plain = 0;
  for (const [stream, isError] of [
    [entry.running?.stdout, false],
    [entry.running?.stderr, true],
  ] as const) {
    if (!stream) continue;
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      entry.log.write(`${line}\n`);
      const warning = warningLine(line, isError);
      // A crash message is told by its first lines; the rest is in the file.
      if (warning === line) plain += 1;
      if (warning !== undefined && (warning !== line || plain <= PLAIN_LINES))
        say(`[${entry.service.name}] ${warning}`);
    });
  }
}

function openLog(file: string): WriteStream {
  mkdirSync(dirname(file), { recursive: true });
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > 50_000_000) truncateSync(file);
  return createWriteStream(file, { flags: 'a', mode: 0o640 });
}

async function allHealthy(entries: readonly Kept[], timeoutMs: number, stopping: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  await Promise.all(
    entries.map(async (entry) => {
      const { service } = entry;
      let last = 'no answer';
      while (!stopping.aborted) {
        const answer = await askHealth(service.health);
        if (answer === true) return;
        last = answer;
        if (entry.failures >= HOPELESS) {
          throw new Error(
            `${service.name} ended ${HOPELESS} times while starting. End of ${service.logFile}:\n${logTail(service.logFile)}`,
          );
        }
        if (performance.now() > deadline) {
          throw new Error(
            `${service.name} is not healthy after ${timeoutMs / 1000} s: ${last}\n${logTail(service.logFile)}`,
          );
        }
        await delay(50);
      }
      throw new Error('stopped');
    }),
  );
}

async function askHealth(url: string): Promise<true | string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    return response.status === 200 ? true : `${response.status} ${text.slice(0, 300)}`;
  } catch (error) {
    return String((error as Error).cause ?? error);
  }
}

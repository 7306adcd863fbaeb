// Child processes that never outlive us: start one, stop it in order, and let it die when this process is killed.
// Invariant: the pid returned is the program itself (the guard shell execs it), and it leads its own process group.
// Surprise: a terminal's Ctrl-C reaches only us (own group), so that children are stopped in our order; `kill -9` of this process
// is seen by a watcher shell as end-of-file on a pipe that only we hold.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

// $1 signal, $2 grace in seconds, then the program. The watcher is forked twice so that the program has no child it did not start
// (PostgreSQL and Redis log unknown children). A line on fd 3 means "the program is gone, go too"; end-of-file means we died.
const GUARD = `sig=$1; grace=$2; shift 2; me=$$
( ( exec </dev/null >/dev/null 2>&1
    trap '' INT TERM HUP
    if read -r _ <&3; then exit 0; fi
    kill -"$sig" $me || exit 0
    n=$((grace * 5))
    while [ $n -gt 0 ]; do kill -0 $me || exit 0; sleep 0.2; n=$((n - 1)); done
    kill -KILL -$me ) & )
exec 3<&-
exec "$@"`;

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type Program = {
  command: string;
  args: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Run as this user (only root may set it). */
  user?: { uid: number; gid: number } | undefined;
  /** File that takes stdout and stderr, or 'pipe' to read them from `output`. */
  output: { file: string } | 'pipe';
  /** How it is asked to end; PostgreSQL's fast shutdown is SIGINT. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** Seconds between the request to end and SIGKILL. Default 10. */
  graceSeconds?: number;
};

export type Running = {
  pid: number;
  exited: Promise<Exit>;
  /** Undefined while it runs. */
  exit(): Exit | undefined;
  stdout: Readable | null;
  stderr: Readable | null;
  /** Asks it to end, waits, kills its group after the grace time. Idempotent. */
  stop(): Promise<Exit>;
  /** SIGKILL now (crash tests). */
  kill(): Promise<Exit>;
};

const LOG_LIMIT = 20_000_000;

/** Starts a program; rejects when it cannot be executed at all. It may still end right after (see `exited`). */
export async function startProgram(program: Program): Promise<Running> {
  const signal = program.stopSignal ?? 'SIGTERM';
  const grace = program.graceSeconds ?? 10;
  const fd = program.output === 'pipe' ? undefined : openLog(program.output.file);
  const stream = fd ?? 'pipe';
  const child: ChildProcess = spawn(
    '/bin/sh',
    ['-c', GUARD, 'guard', signal.slice(3), String(grace), program.command, ...program.args],
    {
      detached: true,
      stdio: ['ignore', stream, stream, 'pipe'],
      ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
      env: program.env ?? process.env,
      ...(program.user ?? {}),
    },
  );
  if (fd !== undefined) closeSync(fd);
  const leash = child.stdio[3] as NodeJS.WritableStream;
  leash.on('error', () => {});
  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, sig) => {
      ended = { code, signal: sig };
      leash.end('x\n');
      resolve(ended);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid as number;
  const send = (target: number, sig: NodeJS.Signals) => {
    try {
      process.kill(target, sig);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const kill = async () => {
    if (ended === undefined) send(-pid, 'SIGKILL');
    return exited;
  };
  const stop = async () => {
    if (ended === undefined) send(pid, signal);
    const timer = new AbortController();
    const late = delay(grace * 1000, undefined, { signal: timer.signal, ref: false }).then(
      kill,
      () => exited,
    );
    const exit = await Promise.race([exited, late]);
    timer.abort();
    return exit;
  };
  return { pid, exited, exit: () => ended, stdout: child.stdout, stderr: child.stderr, stop, kill };
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > LOG_LIMIT) truncateSync(file);
  } catch {
    // Not there yet: openSync creates it.
  }
  return openSync(file, 'a', 0o640);
}

/** The last lines of a log file without stack frames, for an error message; empty when there is none. */
export function logTail(file: string, lines = 15): string {
  try {
    const size = statSync(file).size;
    const buffer = Buffer.alloc(Math.min(size, 16_384));
    const fd = openSync(file, 'r');
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    closeSync(fd);
    const all = buffer.toString('utf8').trimEnd().split('\n');
    return all
      .filter((line) => !/^\s+at /.test(line))
      .slice(-lines)
      .join('\n');
  } catch {
    return '';
  }
}

export type Ready = { what: string; running: Running; logFile: string; timeoutMs: number };

/** Polls `probe` until it answers true. Throws with the end of the log when the program ends first or the time is over. */
export async function waitUntilReady(ready: Ready, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ready.timeoutMs;
  for (;;) {
    if (await probe()) return;
    const exit = ready.running.exit();
    if (exit !== undefined) {
      const how = exit.signal ?? `code ${exit.code}`;
      throw new Error(
        `${ready.what} ended while starting (${how}). End of ${ready.logFile}:\n${logTail(ready.logFile)}`,
      );
    }
    if (performance.now() > deadline) {
      await ready.running.kill();
      throw new Error(
        `${ready.what} was not ready after ${ready.timeoutMs} ms. End of ${ready.logFile}:\n${logTail(ready.logFile)}`,
      );
    }
    await delay(40);
  }
}

/**
 * What tells one process from a later one with the same pid: its start time since boot (Linux, proc(5) field 22).
 * Undefined when there is no such process; 'alive' where /proc does not exist.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds no files and no ports.
    return fields[0] === 'Z' ? undefined : (fields[19] ?? 'alive');
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'alive' : undefined;
  }
}

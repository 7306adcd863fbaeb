// Runs one program to its end, in a process group of its own, with an environment made from nothing.
//
// Invariant: a stop reaches the whole group: TERM, and KILL for whoever is left some time later. The end is told when the group is gone
// or was killed, with what it wrote until then.
//
// Surprise: what a script leaves running in the background after its own end is not waited for, though it may hold the pipes open.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ScriptEnd } from '@tocsin/topologies/ports/script-host.ts';
import { createCapture } from './capture.ts';
import type { ProcessMark } from './journal.ts';

export interface ProcessSpec {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** null: that of the agent. */
  readonly user: { readonly uid: number; readonly gid: number } | null;
  readonly stdin: string | null;
  readonly timeLimitMs: number;
  /** Bytes that are kept of each stream. */
  readonly outputBytes: number;
  readonly killAfterMs: number;
  /** Aborts: it is to be stopped. */
  readonly cancel: AbortSignal;
  /** Called once it runs. */
  readonly onStarted: (mark: ProcessMark) => void;
}

/** How long output is read on after the program has ended, ms. */
const lingerMs = 1_000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Never rejects over what the program does; one that cannot be started ends with 127 or 126, as a shell says it. */
export async function runProcess(spec: ProcessSpec): Promise<ScriptEnd> {
  const startedAt = Date.now();
  const [stdout, stderr] = [createCapture(spec.outputBytes), createCapture(spec.outputBytes)];
  const child = start(spec);
  child.stdout?.on('data', stdout.add);
  child.stderr?.on('data', stderr.add);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      stderr.add(Buffer.from(`${spec.argv[0]}: cannot be started: ${error.code ?? error.message}\n`));
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: null });
    });
  });
  const { pid } = child;
  if (pid !== undefined) {
    spec.onStarted({ pid, startedAt: kernelStart(pid) ?? '' });
    // A program that does not read its input is no failure.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(spec.stdin ?? '');
  }
  const over = new AbortController();
  const stopping = pid === undefined ? null : stopInTime(pid, spec, over.signal, ended);
  const { code, signal } = await ended;
  over.abort();
  const stopped = await stopping;
  if (pid !== undefined) await Promise.race([closed, delay(lingerMs)]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return {
    exitCode: code,
    signal,
    stdout: stdout.take(),
    stderr: stderr.take(),
    startedAt,
    endedAt: Date.now(),
    stopped: stopped ?? null,
  };
}

function start({ argv, environment, folder, user }: ProcessSpec): Child {
  const [program = '', ...rest] = argv;
  return spawn(program, rest, {
    cwd: folder,
    env: { ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    shell: false,
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
  });
}

/** Stops the group at its time limit or when it is cancelled. Resolves when nothing is left to do: null when it ended by itself. */
async function stopInTime(
  pid: number,
  { timeLimitMs, cancel, killAfterMs }: ProcessSpec,
  over: AbortSignal,
  ended: Promise<unknown>,
): Promise<ScriptEnd['stopped']> {
  const by = await Promise.race([
    delay(timeLimitMs, 'time_limit' as const, { signal: over }).catch(() => null),
    aborted(cancel, over).then((is) => (is ? ('cancel' as const) : null)),
  ]);
  if (by === null) return null;
  const killed = await stopGroup(pid, killAfterMs);
  await ended;
  return { by, killed };
}

function aborted(signal: AbortSignal, over: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(true);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(true), { once: true, signal: over });
    over.addEventListener('abort', () => resolve(false), { once: true });
  });
}

/** TERM, then KILL for whoever is left after `killAfterMs`. Whether that was needed. */
export async function stopGroup(pid: number, killAfterMs: number): Promise<boolean> {
  if (!signalGroup(pid, 'SIGTERM')) return false;
  const deadline = performance.now() + killAfterMs;
  while (performance.now() < deadline) {
    await delay(Math.min(100, killAfterMs));
    if (!isAnybodyLeft(pid)) return false;
  }
  return signalGroup(pid, 'SIGKILL');
}

/** False when nobody is left in the group. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** A process that has ended and that nobody has reaped counts for the kernel, and not for us: some containers reap nothing. */
function isAnybodyLeft(group: number): boolean {
  if (!signalGroup(group, 0)) return false;
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((name) => {
    const [state, , of] = /^\d+$/.test(name) ? statOf(Number(name)) : [];
    return of === String(group) && state !== 'Z';
  });
}

/** When the kernel started the process, in its own units; null when there is none, or no /proc. */
export function kernelStart(pid: number): string | null {
  return statOf(pid)[19] ?? null;
}

/** Fields of proc(5) from the third on; the name in the second may hold anything, parentheses and spaces too. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

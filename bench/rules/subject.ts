// A matcher under measurement, in a process of its own: told what to do on its input, answers with one line of JSON.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Round {
  readonly events: number;
  readonly seconds: number;
  /** Of the whole process: compilers and garbage collection included. */
  readonly cpu_seconds: number;
  readonly matches: number;
}

export interface Subject<Built> {
  /** What it said about building its index. */
  readonly built: Built;
  /** Sends a command and resolves with the answer. Rejects when the process ends instead. */
  ask<Answer>(command: string): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts the program and waits for its first line. Its stderr goes to ours. */
export async function startSubject<Built>(command: string, args: readonly string[]): Promise<Subject<Built>> {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = whenEnded(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <Answer>(): Promise<Answer> => {
    const line = await Promise.race([lines.next(), ended]);
    if (line.done === true) throw new Error(`${command} closed its output`);
    return JSON.parse(line.value as string) as Answer;
  };
  return {
    built: await next<Built>(),
    ask(text) {
      child.stdin.write(`${text}\n`);
      return next();
    },
    async stop() {
      child.stdin.end();
      child.kill();
      await ended.catch(() => undefined);
    },
  };
}

function whenEnded(child: ChildProcess): Promise<never> {
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${child.spawnfile} ended with ${signal ?? code}`)),
    );
  });
  ended.catch(() => undefined);
  return ended;
}

// The handle of a receiver in a process of its own.
//
// Invariant: a receiver that is started again has the same port and the same books.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort } from '@tocsin/local/ports.ts';
import type { BulkFault } from '@tocsin/testing/receivers/bulk.ts';
import type { HecFault } from '@tocsin/testing/receivers/hec.ts';
import type { Kind } from './kinds.ts';
import type { Order } from './receiver.child.ts';
import { type Entry, readEntries } from './verdict.ts';

export interface Receiver {
  readonly port: number;
  start(): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** A fault for every request until it is null; `health` is what questions without events are told meanwhile. */
  fail(fault: HecFault | BulkFault | null, health?: 'up' | 'down'): Promise<void>;
  /** Faults for the next requests, one each. */
  script(faults: readonly (HecFault | BulkFault)[]): Promise<void>;
  /** Syslog: breaks each connection off after so many messages, until it is null. */
  resetAfter(messages: number | null): Promise<void>;
  entries(): Entry[];
  /** Length of the books, bytes. */
  bytes(): number;
}

/** Does not start it. `books` is a file. */
export async function createReceiver(kind: Kind, books: string): Promise<Receiver> {
  const port = await freePort();
  let child: ChildProcess | null = null;

  async function message(): Promise<void> {
    const ended = once(child as ChildProcess, 'exit').then(([code]) => {
      throw new Error(`the ${kind} receiver ended with ${code}`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(child as ChildProcess, 'message'), ended]);
  }

  async function obey(order: Order): Promise<void> {
    const done = message();
    child?.send(order);
    await done;
  }

  return {
    port,
    async start() {
      child = fork(fileURLToPath(new URL('./receiver.child.ts', import.meta.url)), [
        kind,
        String(port),
        books,
      ]);
      await message();
    },
    async kill() {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    fail: (fault, health = 'down') => obey({ order: 'fail', fault, health }),
    script: (faults) => obey({ order: 'script', faults }),
    resetAfter: (after) => obey({ order: 'reset', after }),
    entries: () => (existsSync(books) ? readEntries(readFileSync(books)) : []),
    bytes: () => (existsSync(books) ? statSync(books).size : 0),
  };
}

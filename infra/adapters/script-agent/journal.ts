// What the agent has begun and how it ended, on disk: a folder for each run, made before the run begins.
//
// Invariant: of all who claim one run, also after a crash, exactly one hears true; the claim is on disk before the script is started.
//
// Surprise: a claim without an end is all that is left of a run whose agent was killed. Nobody can tell how far it came, so that it is
// `uncertain` for ever, and never begun again.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ScriptEnd } from '@tocsin/topologies/ports/script-host.ts';

export interface Journal {
  /** False when the run was claimed before. `about` is for people who look at the folder. */
  claim(id: string, about: Readonly<Record<string, unknown>>): boolean;
  /** The process that carries it out, to be found again after a crash. */
  started(id: string, process: ProcessMark): void;
  ended(id: string, end: ScriptEnd): void;
  find(id: string): JournalEntry | null;
  /** Rounds of a command that were claimed. */
  rounds(commandId: string): number[];
  /** Forgets runs that were claimed before then (epoch ms) and have ended; those without an end are kept. Returns how many. */
  prune(before: number): number;
}

/** A process by its number and the moment at which the kernel started it: numbers come again. */
export interface ProcessMark {
  readonly pid: number;
  readonly startedAt: string;
}

export interface JournalEntry {
  /** Epoch ms. */
  readonly claimedAt: number;
  readonly process: ProcessMark | null;
  readonly end: ScriptEnd | null;
}

/** Throws when the folder cannot be made or read. */
export function openJournal(folder: string): Journal {
  const runs = join(folder, 'runs');
  mkdirSync(runs, { recursive: true, mode: 0o700 });
  const place = (id: string): string => join(runs, id);

  return {
    claim(id, about) {
      try {
        mkdirSync(place(id), { mode: 0o700 });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      }
      writeDurably(place(id), 'claimed.json', about);
      syncFolder(runs);
      return true;
    },
    started: (id, mark) => writeDurably(place(id), 'process.json', mark),
    ended: (id, end) => writeDurably(place(id), 'ended.json', end),
    find(id) {
      if (!existsSync(place(id))) return null;
      return {
        claimedAt: Math.floor(statSync(place(id)).birthtimeMs),
        process: read<ProcessMark>(join(place(id), 'process.json')),
        end: read<ScriptEnd>(join(place(id), 'ended.json')),
      };
    },
    rounds: (commandId) =>
      readdirSync(runs).flatMap((name) => (name.startsWith(`${commandId}.`) ? [Number(name.slice(33))] : [])),
    prune(before) {
      let pruned = 0;
      for (const name of readdirSync(runs)) {
        const ended = join(runs, name, 'ended.json');
        if (!existsSync(ended) || statSync(ended).mtimeMs >= before) continue;
        rmSync(join(runs, name), { recursive: true, force: true });
        pruned += 1;
      }
      return pruned;
    },
  };
}

/** The file is there whole or not at all, also after the power failed. */
function writeDurably(folder: string, name: string, content: object): void {
  const draft = join(folder, `${name}.draft`);
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, JSON.stringify(content));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, join(folder, name));
  syncFolder(folder);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function read<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

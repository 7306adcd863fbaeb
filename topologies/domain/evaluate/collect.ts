// What one chunk of a run gives to a command over the whole run: an input of the collector.
//
// Invariant: every chunk gives one, with matching rows or without: only so the collector knows when the run is complete.
import type { CollectionChunk } from '@tocsin/schemas/types.ts';
import type { OutRecord } from '../../ports/log.ts';
import { topics } from '../../topics.ts';
import type { CommandFrame } from './command.ts';
import { hashFields } from './command-id.ts';
import type { Rows } from './trigger.ts';

/** One input of the collector with its key, which is the same for all chunks of the run. */
export interface Collected {
  readonly key: string;
  readonly chunk: CollectionChunk;
}

/** Most chunks of a run that is put together; what is kept of each must fit into one record beside the rows. */
export const maxChunks = 1_000;

/**
 * Most bytes of a command over a run in chunks, and of what one chunk gives to it. Less than other commands may have: it is kept
 * with an entry for each of its chunks, and that has to fit into one record as well.
 */
export const maxCollectedBytes = 900_000;

/** Why the collector cannot take this chunk; null when it can. */
export function chunkProblem({ chunk, chunks }: Rows): string | null {
  if (chunk >= chunks)
    return `chunk ${chunk} of ${chunks}: numbers begin at 0 and end below the number of chunks`;
  if (chunks > maxChunks) return `a run of ${chunks} chunks; at most ${maxChunks} are put together`;
  return null;
}

/** `frame.mode` is first or all and `frame.rule` is given; `matching`: indexes in `rows.rows`, ascending, maybe none. */
export function collectChunk(frame: CommandFrame, rows: Rows, matching: readonly number[]): Collected {
  const { chunk, chunks, run, search, givenBase } = rows;
  const { mode, rule, source, ...rest } = frame;
  if (rule === undefined || mode === 'each') throw new TypeError('only a rule asks for a whole run');
  const indexes = mode === 'first' ? matching.slice(0, 1) : [...matching];
  const { chunk: _chunk, chunks: _chunks, row_base: _base, ...ofRun } = search;
  const key = hashFields(['v1', rest.tenant ?? '', run, rule.id, rest.action.key]);
  return {
    key,
    chunk: {
      kind: 'chunk',
      chunk,
      chunks,
      ...(givenBase === null ? {} : { row_base: givenBase }),
      row_count: rows.rows.length,
      digest: rows.digest(),
      matching: matching.length,
      rows: indexes.map((index) => rows.rows[index] as Record<string, unknown>),
      indexes,
      template: { ...rest, mode, rule, source: { ...source, id: run }, search: ofRun },
    },
  };
}

export function collectedRecord({ key, chunk }: Collected): OutRecord & { readonly value: Buffer } {
  return { topic: topics.collections.name, key, value: Buffer.from(JSON.stringify(chunk)) };
}

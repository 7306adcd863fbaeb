// What is kept of a run while its chunks come in, and for a day after it came to its end.
//
// Invariant: a state fits into one record of the changelog: at most `maxChunks` short entries beside what a command may hold.
import type { CollectionTemplate } from '@tocsin/schemas/types.ts';

/** One chunk that came. */
export interface SeenChunk {
  readonly chunk: number;
  /** Index of its first row in the run; null where the producer did not say. */
  readonly base: number | null;
  /** Rows in it, matching or not. */
  readonly count: number;
  readonly digest: string;
}

/** As a list `[chunk, base, count, digest]`: 1,000 of them must be small. */
export type SeenEntry = readonly [chunk: number, base: number | null, count: number, digest: string];

/** Matching rows of one chunk. */
export interface HeldRows {
  readonly chunk: number;
  /** Where the first of `rows` stands in the chunk. */
  readonly index: number;
  readonly rows: readonly Record<string, unknown>[];
}

export interface Collecting {
  readonly status: 'collecting';
  readonly chunks: number;
  /** By number, each once, at least one. */
  readonly seen: readonly SeenEntry[];
  /**
   * By chunk. Mode all: all matching rows; mode first: the first of the lowest chunk that has one. null: they are more than a
   * command may hold, and were dropped.
   */
  readonly held: readonly HeldRows[] | null;
  /** Matching rows so far. */
  readonly matching: number;
  /** Of the rows in `held` as JSON, the dropped ones included. */
  readonly bytes: number;
  /** Of the lowest chunk that came. */
  readonly template: CollectionTemplate;
  /** Revisions of the rule that chunks were judged by, ascending. */
  readonly revisions: readonly number[];
  /** When the last chunk came, epoch ms. */
  readonly lastAt: number;
  readonly timer: { readonly token: string; readonly due: number };
}

/** Repeated and late chunks of a run that has its end find this. */
export interface Ended {
  readonly status: 'ended';
  readonly end: CollectionEnd;
  /** Epoch ms; from then on the same chunks begin a new run. */
  readonly until: number;
}

export type CollectionState = Collecting | Ended;

/** How a run ends that is complete, or complete enough. */
export type CollectionEnd = 'triggered' | 'nothing' | 'too_large';

/** What became of one input; closed list, for metrics. */
export type CollectionOutcome =
  | CollectionEnd
  | 'collected'
  | 'repeated'
  | 'after_end'
  | 'contradicting'
  | 'incomplete'
  | 'waiting'
  | 'stale_timer';

/**
 * A run is given up this long after its last chunk, ms. Producers write the chunks of a run within minutes; an hour also covers
 * one that is started again, and whoever is on duty when the run is given up was there when it began.
 */
export const chunkTimeoutMs = 3_600_000;

/** Chunks of a run that has its end are ignored for so long, ms: longer than producers and the evaluator repeat records. */
export const endedMs = 86_400_000;

export function seenOf([chunk, base, count, digest]: SeenEntry): SeenChunk {
  return { chunk, base, count, digest };
}

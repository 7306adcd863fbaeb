// One more chunk of a run: what is known of the run with it, or why it cannot belong to it.
//
// Invariant: what came first counts. The result does not depend on the order in which chunks come that do not contradict.
import type { CollectionChunk } from '@tocsin/schemas/types.ts';
import { type Collecting, type HeldRows, type SeenChunk, type SeenEntry, seenOf } from './state.ts';

export type Judged =
  | { readonly verdict: 'new' }
  | { readonly verdict: 'repeated' }
  | { readonly verdict: 'contradicting'; readonly detail: string };

/** `state`: the run so far; null before its first chunk. */
export function judgeChunk(
  state: Pick<Collecting, 'chunks' | 'seen' | 'template'> | null,
  input: CollectionChunk,
): Judged {
  const contradicts = (detail: string): Judged => ({ verdict: 'contradicting', detail });
  const { chunk, chunks, template } = input;
  if (chunk >= chunks) return contradicts(`chunk ${chunk} of ${chunks}`);
  if (state === null) return { verdict: 'new' };
  if (chunks !== state.chunks) return contradicts(`${chunks} chunks instead of ${state.chunks}`);
  if (template.mode !== state.template.mode)
    return contradicts(`mode ${template.mode} instead of ${state.template.mode}`);
  const seen = state.seen.map(seenOf);
  const same = seen.find((other) => other.chunk === chunk);
  const given = entryOf(input);
  if (same !== undefined)
    return same.digest === given[3] && same.count === given[2] && same.base === given[1]
      ? { verdict: 'repeated' }
      : contradicts(`chunk ${chunk} came before with other rows`);
  return overlapWith(seen, seenOf(given)) ?? { verdict: 'new' };
}

function overlapWith(seen: readonly SeenChunk[], given: SeenChunk): Judged | null {
  if (given.base === null) return null;
  const based = seen.flatMap((each) => (each.base === null ? [] : [{ ...each, base: each.base }]));
  const before = based.findLast(({ chunk }) => chunk < given.chunk);
  const after = based.find(({ chunk }) => chunk > given.chunk);
  const overlaps = (other: SeenChunk): Judged => ({
    verdict: 'contradicting',
    detail: `the rows of chunk ${given.chunk}, ${rangeOf(given)}, and of chunk ${other.chunk}, ${rangeOf(other)}, are not in that order`,
  });
  if (before !== undefined && before.base + before.count > given.base) return overlaps(before);
  if (after !== undefined && given.base + given.count > after.base) return overlaps(after);
  return null;
}

function rangeOf({ base, count }: SeenChunk): string {
  return count === 0 ? `none from ${base}` : `${base} to ${(base ?? 0) + count - 1}`;
}

/** What is known of the run with a new chunk; whoever calls sets the timer and drops rows that are too many. */
export function addChunk(
  state: Omit<Collecting, 'timer'> | null,
  input: CollectionChunk,
  now: number,
): Omit<Collecting, 'timer'> {
  const { chunk, template } = input;
  const given: HeldRows[] =
    input.rows.length === 0 ? [] : [{ chunk, index: input.indexes[0] ?? 0, rows: input.rows }];
  const seen = inOrder([...(state?.seen ?? []), entryOf(input)], ([number]) => number);
  const all = inOrder([...(state?.held ?? []), ...given], (one) => one.chunk);
  const held = template.mode === 'first' ? all.slice(0, 1) : all;
  const bytes = template.mode === 'first' ? bytesOf(held) : (state?.bytes ?? 0) + bytesOf(given);
  return {
    status: 'collecting',
    chunks: input.chunks,
    seen,
    held: state?.held === null ? null : held,
    matching: (state?.matching ?? 0) + input.matching,
    bytes,
    template: state === null || chunk < (state.seen[0]?.[0] ?? 0) ? template : state.template,
    revisions: [...new Set([...(state?.revisions ?? []), template.rule.revision])].sort((a, b) => a - b),
    lastAt: now,
  };
}

/** Where the first row of a chunk stands in the run, when all chunks before it came. */
export function baseOf(seen: readonly SeenEntry[], chunk: number): number {
  let next = 0;
  for (const { base, count, chunk: number } of seen.map(seenOf)) {
    const start = base ?? next;
    if (number === chunk) return start;
    next = start + count;
  }
  return next;
}

/** Ranges of the chunks that did not come: `1, 4-7`. */
export function missingChunks({ chunks, seen }: Pick<Collecting, 'chunks' | 'seen'>): string {
  const ranges: string[] = [];
  let next = 0;
  for (const number of [...seen.map(([chunk]) => chunk), chunks]) {
    if (number > next) ranges.push(number - 1 === next ? `${next}` : `${next}-${number - 1}`);
    next = number + 1;
  }
  return ranges.join(', ');
}

function entryOf({ chunk, row_base, row_count, digest }: CollectionChunk): SeenEntry {
  return [chunk, row_base ?? null, row_count, digest];
}

function inOrder<T>(list: T[], number: (item: T) => number): T[] {
  return list.sort((a, b) => number(a) - number(b));
}

function bytesOf(held: readonly HeldRows[]): number {
  return held.reduce((sum, { rows }) => sum + Buffer.byteLength(JSON.stringify(rows)), 0);
}

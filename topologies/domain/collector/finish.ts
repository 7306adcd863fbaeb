// A run that has its end: the command that it calls for, nothing, or that there is more than a command may hold.
import type { Command } from '@tocsin/schemas/types.ts';
import { type CommandFrame, commandOf } from '../evaluate/command.ts';
import { baseOf } from './add-chunk.ts';
import { type Collecting, seenOf } from './state.ts';

export type Finished =
  | { readonly end: 'triggered'; readonly command: Command }
  | { readonly end: 'nothing' }
  | { readonly end: 'too_large'; readonly bytes: number };

type Run = Omit<Collecting, 'timer'>;

/** null while chunks are missing that count. */
export function finish(run: Run, maxCommandBytes: number): Finished | null {
  return run.template.mode === 'first' ? finishFirst(run, maxCommandBytes) : finishAll(run, maxCommandBytes);
}

/** Mode first ends as soon as no earlier chunk can have an earlier match; how many rows the run has is not known then. */
function finishFirst(run: Run, maxCommandBytes: number): Finished | null {
  const first = run.held?.[0];
  const needed = first === undefined ? run.chunks : first.chunk + 1;
  // Numbers are in order and each once: those up to `needed` are there when the last of them stands at its place.
  if (run.seen[needed - 1]?.[0] !== needed - 1) return null;
  if (run.held === null) return { end: 'too_large', bytes: run.bytes };
  if (first === undefined) return { end: 'nothing' };
  const rowIndex = baseOf(run.seen, first.chunk) + first.index;
  return fitting(run, rowIndex, { rows: [...first.rows] }, maxCommandBytes);
}

function finishAll(run: Run, maxCommandBytes: number): Finished | null {
  if (run.seen.length < run.chunks) return null;
  if (run.matching === 0) return { end: 'nothing' };
  if (run.held === null) return { end: 'too_large', bytes: run.bytes };
  const subject = {
    rows: run.held.flatMap(({ rows }) => rows),
    total_rows: run.seen.map(seenOf).reduce((sum, { count }) => sum + count, 0),
  };
  return fitting(run, 'all', subject, maxCommandBytes);
}

function fitting(
  { template, bytes }: Run,
  rowIndex: number | 'all',
  subject: Command['subject'],
  maxCommandBytes: number,
): Finished {
  const command = commandOf(frameOf(template), {
    rowIndex,
    subject: { ...subject, search: template.search },
  });
  const isTooLarge = Buffer.byteLength(JSON.stringify(command)) > maxCommandBytes;
  return isTooLarge ? { end: 'too_large', bytes } : { end: 'triggered', command };
}

/** The id of the command that the run would have called for, where it does not depend on what is missing. */
export function knownCommandId({ template }: Pick<Collecting, 'template'>): string | undefined {
  if (template.mode === 'first') return undefined;
  return commandOf(frameOf(template), { rowIndex: 'all', subject: {} }).command_id;
}

function frameOf({ search: _search, ...frame }: Collecting['template']): CommandFrame {
  return frame;
}

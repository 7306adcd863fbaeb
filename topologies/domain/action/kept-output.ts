// What is kept of an output that is too large: its members with their long texts cut, its size and its SHA-256.
//
// Surprise: the short members stay, so that a condition on the exit code of a program holds however much it printed.
import { digestOf } from '../digest.ts';
import type { Json } from './outcome.ts';

/** UTF-8 bytes of an output in results, histories and answers. */
export const storedOutputBytes = 64 * 1024;

/** Characters that are tried for each text of an output that does not fit, longest first. */
const textLengths = [32_768, 8_192, 2_048, 512, 128];

/** UTF-8 bytes of a value as JSON; 0 for none. */
export function sizeOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}

/**
 * The output itself if it has at most `max` UTF-8 bytes as JSON; else an object with `truncated`, its size in `bytes`, the `sha256` of
 * the whole (see `digestOf`), and its members, texts cut at the largest length with which all fit; without members where none does.
 */
export function keptOutput(output: Json | undefined, max: number): Json | undefined {
  const bytes = sizeOf(output);
  if (output === undefined || bytes <= max) return output;
  const mark = { truncated: true, bytes, sha256: digestOf(output) };
  // Of texts shorter than the shortest cut there are too many for any of the lengths.
  if (typeof output === 'object' && output !== null && !Array.isArray(output))
    for (const length of textLengths) {
      const cut = { ...(cutTexts(output, length) as { [name: string]: Json }), ...mark };
      if (sizeOf(cut) <= max) return cut;
    }
  return mark;
}

function cutTexts(value: Json, length: number): Json {
  if (typeof value === 'string')
    return value.length <= length ? value : `${value.slice(0, length - 1).toWellFormed()}…`;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => cutTexts(item, length));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, cutTexts(member as Json, length)]),
  );
}

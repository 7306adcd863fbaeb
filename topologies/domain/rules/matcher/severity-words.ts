// Ranks of severity words without making a text for every event: the words that were seen last, by their hash.
//
// Invariant: a remembered rank is that of severityRank for the same bytes in any case; ASCII folds one way only.
import { severityRank } from '../severity.ts';
import { foldByte } from './ints.ts';

/** Entries of `wordBytes` bytes each; `length` 0 means free. */
export interface SeverityWords {
  readonly hash: Int32Array;
  readonly length: Int32Array;
  /** -1 for a word without a rank. */
  readonly rank: Int32Array;
  readonly bytes: Uint8Array;
}

const entries = 32;
const wordBytes = 16;

export function createSeverityWords(): SeverityWords {
  return {
    hash: new Int32Array(entries),
    length: new Int32Array(entries),
    rank: new Int32Array(entries),
    bytes: new Uint8Array(entries * wordBytes),
  };
}

/** Rank of the ASCII text `memory[start, end)`, whose hash is given; -1 without one. */
export function rankOfBytes(
  words: SeverityWords,
  hash: number,
  memory: Buffer,
  start: number,
  end: number,
): number {
  const length = end - start;
  // Longer than any word is a word only with spaces around it, which nobody needs to remember.
  if (length > wordBytes || length === 0)
    return memory[start] === 0x20 || memory[end - 1] === 0x20 ? rankOfText(memory, start, end) : -1;
  const entry = hash & (entries - 1);
  const at = entry * wordBytes;
  if (words.hash[entry] === hash && words.length[entry] === length) {
    let i = 0;
    while (i < length && foldByte[memory[start + i] as number] === words.bytes[at + i]) i++;
    if (i === length) return words.rank[entry] as number;
  }
  const rank = rankOfText(memory, start, end);
  words.hash[entry] = hash;
  words.length[entry] = length;
  words.rank[entry] = rank;
  for (let i = 0; i < length; i++) words.bytes[at + i] = foldByte[memory[start + i] as number] as number;
  return rank;
}

function rankOfText(memory: Buffer, start: number, end: number): number {
  return severityRank(memory.toString('latin1', start, end)) ?? -1;
}

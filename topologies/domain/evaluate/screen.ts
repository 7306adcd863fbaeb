// Whether an event that no rule wants needs another look, judged by the few members that the envelope and the notes are about.
//
// Invariant: `isPlain` implies that decoding the event would give a valid envelope that is no test, and no note. Anything
// unusual is not plain: the decoded event decides then.
import { type Elements, elementKind } from '@tocsin/schemas/codecs/scan/elements.ts';
import type { Watched } from '../rules/matcher/matcher.ts';
import { severityRank } from '../rules/severity.ts';
import { epochMsOf } from '../sink/event-time.ts';
import { clockSkewMs } from './notes.ts';

/** Members of the event that are looked at; `Watched.watchOfSlot` gives their index. */
export const watchedPaths = [
  ['event'],
  ['id'],
  ['timestamp'],
  ['tenant'],
  ['test'],
  ['hops'],
  ['data'],
  ['data', 'severity'],
  ['data', 'cvss'],
] as const satisfies readonly (readonly string[])[];

// Indexes of watchedPaths.
const event = 0;
const id = 1;
const timestamp = 2;
const tenant = 3;
const test = 4;
const hops = 5;
const data = 6;
const severity = 7;
const cvss = 8;

export function isPlain({ elements, watchOfSlot }: Watched, recordTimestamp: number): boolean {
  const { count, slot, kind } = elements;
  let seen = 0;
  for (let entry = 0; entry < count; entry++) {
    const watch = watchOfSlot[slot[entry] as number] as number;
    if (watch < 0) continue;
    if (watch === severity) {
      if (kind[entry] !== elementKind.null && !isSeverity(elements, entry)) return false;
    } else if (watch === cvss) {
      if (kind[entry] !== elementKind.null && !isScore(elements, entry)) return false;
    } else {
      // Twice, or in a list: no member of an envelope is a list.
      if ((seen & (1 << watch)) !== 0 || !isMember(elements, entry)) return false;
      seen |= 1 << watch;
      if (!fits(elements, entry, watch, recordTimestamp)) return false;
    }
  }
  return (seen & (1 << event)) !== 0;
}

function fits(elements: Elements, entry: number, watch: number, recordTimestamp: number): boolean {
  const kind = elements.kind[entry];
  switch (watch) {
    case event:
      return isText(elements, entry, 128);
    case id:
      return isText(elements, entry, 256);
    case tenant:
      return isText(elements, entry, 128);
    case timestamp:
      return isText(elements, entry, 64) && isNear(elements, entry, recordTimestamp);
    case test:
      return kind === elementKind.false;
    case hops: {
      const value = elements.value[entry] as number;
      return kind === elementKind.number && Number.isSafeInteger(value) && value >= 0;
    }
    case data:
      return kind === elementKind.object;
    default:
      return false;
  }
}

/** A text of 1 to `longest` characters, as far as its bytes tell: characters take at least one byte each. */
function isText({ kind, start, end }: Elements, entry: number, longest: number): boolean {
  const length = (end[entry] as number) - (start[entry] as number);
  return kind[entry] === elementKind.string && length > 0 && length <= longest;
}

function isSeverity({ kind, start, end, memory }: Elements, entry: number): boolean {
  if (kind[entry] !== elementKind.string) return false;
  const text = memory.toString('latin1', start[entry] as number, end[entry] as number);
  return severityRank(text) !== undefined;
}

function isScore({ kind, value }: Elements, entry: number): boolean {
  return (
    kind[entry] === elementKind.number && (value[entry] as number) >= 0 && (value[entry] as number) <= 10
  );
}

function isNear({ start, end, memory }: Elements, entry: number, recordTimestamp: number): boolean {
  const at = epochMsOf(memory, start[entry] as number, end[entry] as number);
  if (Number.isNaN(at)) return false;
  return recordTimestamp < 0 || Math.abs(at - recordTimestamp) <= clockSkewMs;
}

/** The value is a member's, not an item of a list: a colon stands before it, spaces aside. */
function isMember({ kind, start, memory }: Elements, entry: number): boolean {
  let at = (start[entry] as number) - (kind[entry] === elementKind.string ? 2 : 1);
  while (memory[at] === 0x20 || memory[at] === 0x0a || memory[at] === 0x0d || memory[at] === 0x09) at -= 1;
  return memory[at] === 0x3a;
}

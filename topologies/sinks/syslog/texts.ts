// Texts that many events share, made once and kept as bytes: times of one second, event types, words of severity.
//
// Invariant: bounded, whatever the events hold; a text that is not kept is made again.
import type { Layout } from './layout.ts';
import { rankOf } from './message.ts';
import type { FieldPart } from './parts.ts';

const mostKept = 256;

type Written<Type extends string> = Extract<Layout['parts'][number], { readonly type: Type }>;

export interface Texts {
  ofTime(part: Written<'time'>, ms: number): Buffer;
  ofType(part: Written<'event-type'>, type: string): Buffer;
  /** What a field says without a value, escaped. */
  otherwise(part: FieldPart, otherwise: NonNullable<FieldPart['otherwise']>, type: string): Buffer;
  rankOf(severity: string): number;
  /** The text of ASCII bytes that are likely to come again. */
  ofAscii(memory: Buffer, from: number, to: number): string;
}

interface Seen {
  readonly bytes: Buffer;
  readonly text: string;
}

const seenSlots = 64;

export function createTexts(): Texts {
  const types = new Map<string, Buffer>();
  const fallbacks = new Map<FieldPart, Map<string, Buffer>>();
  const ranks = new Map<string, number>();
  const seen: (Seen | undefined)[] = new Array(seenSlots).fill(undefined);
  let shown = Number.NaN;
  let time = Buffer.alloc(0);

  function keep<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
    const kept = map.get(key);
    if (kept !== undefined) return kept;
    const made = make();
    if (map.size < mostKept && key.length <= mostKept) map.set(key, made);
    return made;
  }

  return {
    // A layout has at most one time and one place for the event type.
    ofTime(part, ms) {
      if (ms === shown) return time;
      const seconds = Math.floor(ms / 1000);
      if (Math.floor(shown / 1000) === seconds && time.length === 24) {
        const rest = ms - seconds * 1000;
        time[20] = 0x30 + Math.floor(rest / 100);
        time[21] = 0x30 + (Math.floor(rest / 10) % 10);
        time[22] = 0x30 + (rest % 10);
      } else time = Buffer.from(part.write(ms));
      shown = ms;
      return time;
    },
    ofType: (part, type) => keep(types, type, () => Buffer.from(part.write(type))),
    otherwise(part, otherwise, type) {
      let own = fallbacks.get(part);
      if (own === undefined) {
        own = new Map();
        fallbacks.set(part, own);
      }
      return keep(own, type, () => Buffer.from(part.encode(otherwise(type), part.max)));
    },
    ofAscii(memory, from, to) {
      const length = to - from;
      // Making a string costs more than comparing a few bytes.
      const slot = (length * 7 + (memory[from] ?? 0)) % seenSlots;
      const known = seen[slot];
      if (known !== undefined && known.bytes.length === length && isSame(known.bytes, memory, from))
        return known.text;
      const text = memory.toString('latin1', from, to);
      if (length <= mostKept) seen[slot] = { bytes: Buffer.from(text, 'latin1'), text };
      return text;
    },
    rankOf: (severity) => keep(ranks, severity, () => rankOf(severity)),
  };
}

function isSame(bytes: Buffer, memory: Buffer, from: number): boolean {
  for (let k = 0; k < bytes.length; k++) if (bytes[k] !== memory[from + k]) return false;
  return true;
}

/** Writes the thirteen digits of an epoch in ms and returns the position after them. */
export function putEpoch(target: Buffer, at: number, ms: number): number {
  // In 32-bit integers: a remainder of doubles costs more than all of the rest.
  const high = Math.floor(ms / 1_000_000);
  putDigits(target, at, 7, high);
  putDigits(target, at + 7, 6, ms - high * 1_000_000);
  return at + 13;
}

function putDigits(target: Buffer, from: number, count: number, value: number): void {
  let rest = value | 0;
  for (let at = from + count - 1; at >= from; at--) {
    const shorter = (rest / 10) | 0;
    target[at] = 0x30 + rest - shorter * 10;
    rest = shorter;
  }
}

/** Room for the digits of most lengths and the space after them. */
export const countBytes = 4;

/**
 * Writes the length of the message at `[start + countBytes, end)` in front of it, as RFC 6587 section 3.4.1 wants it: no leading zeros, so
 * a message of another length class moves. Returns the position after it.
 */
export function putCount(target: Buffer, start: number, end: number): number {
  const from = start + countBytes;
  const length = end - from;
  const digits = length < 100 ? (length < 10 ? 1 : 2) : length < 1000 ? 3 : String(length).length;
  const shift = digits + 1 - countBytes;
  if (shift !== 0) target.copyWithin(from + shift, from, end);
  putDigits(target, start, digits, length);
  target[start + digits] = 0x20;
  return end + shift;
}

// One pass over the bytes of a JSON text that finds what JSON.parse accepts and we do not, without recursion and, for usual
// objects, without allocation.
//
// Invariant: for every text that JSON.parse accepts, the verdict is exact. A text that it refuses may get any verdict, since
// the parse that follows refuses it anyway; the scan only has to end, in time linear in the input.
// Surprise: member names are compared by a four-byte signature first and by bytes second. From the 33rd member on, or once a
// name has an escape, the object's names move into a Set, whose hash is seeded: crafted collisions buy an attacker nothing.
import type { JsonReason } from './json-reasons.ts';

/** Hard ceiling of `maxDepth`; the scratch space below is sized for it. */
export const deepest = 128;
const linearKeys = 32;

const inObject = new Uint8Array(deepest + 1);
const firstKey = new Int32Array(deepest + 1);
const nameSets: (Set<string> | undefined)[] = new Array(deepest + 1).fill(undefined);
const keyStart = new Int32Array((deepest + 1) * linearKeys);
const keyEnd = new Int32Array((deepest + 1) * linearKeys);
const keySignature = new Int32Array((deepest + 1) * linearKeys);

// Of the buffer that was scanned last; the values of one batch share theirs.
let words: DataView = new DataView(new ArrayBuffer(0));

export interface ScanLimits {
  readonly maxDepth: number;
  readonly maxKeys: number;
  readonly maxKeyBytes: number;
  readonly maxNumberBytes: number;
}

/** What the scan found; one object reused by every call, so read it before the next call. */
export interface Scan {
  /** null when nothing is wrong as far as the scan looks. */
  reason: JsonReason | null;
  /** Byte position of the finding, from `start`; of the first big integer when `reason` is null; -1 without either. */
  at: number;
  ascii: boolean;
  /** A member is named __proto__ or constructor. */
  suspectKey: boolean;
  /** An integer is beyond 2^53 - 1 and nothing else is wrong with it. */
  bigInteger: boolean;
}

const scan: Scan = { reason: null, at: 0, ascii: true, suspectKey: false, bigInteger: false };

/** Scans `bytes[start, end)`, which must not begin with a byte order mark. */
export function scanJson(bytes: Buffer, start: number, end: number, limits: ScanLimits): Scan {
  const { maxDepth, maxKeys, maxKeyBytes, maxNumberBytes } = limits;
  scan.reason = null;
  scan.at = -1;
  scan.suspectKey = false;
  scan.bigInteger = false;
  let seen = 0;
  let depth = 0;
  let keys = 0;
  let expectKey = false;
  let i = start;
  inObject[0] = 0;
  if (bytes.buffer !== words.buffer) words = new DataView(bytes.buffer);
  const shift = bytes.byteOffset;
  const wordEnd = end - 3;
  while (i < end) {
    const c = bytes[i++]!;
    if (c === 0x22) {
      const from = i;
      let escaped = false;
      // Four bytes at a time while none of them is a quote, a backslash or above 0x7f (Hacker's Delight, section 6-1).
      for (; i < wordEnd; i += 4) {
        const word = words.getInt32(shift + i);
        const quote = word ^ 0x22222222;
        const slash = word ^ 0x5c5c5c5c;
        if ((((quote - 0x01010101) | (slash - 0x01010101) | word) & 0x80808080) !== 0) break;
      }
      while (i < end) {
        const d = bytes[i++]!;
        if (d === 0x22) break;
        seen |= d;
        if (d === 0x5c) {
          escaped = true;
          i++;
        }
      }
      if (!expectKey) continue;
      expectKey = false;
      const to = i - 1;
      const length = to - from;
      if (length > maxKeyBytes) return refuse('key_length', from - start, depth);
      const base = firstKey[depth]!;
      let names = nameSets[depth];
      if (names === undefined && !escaped && keys - base < linearKeys) {
        // Length, first, middle and last byte; an empty name reads its closing quote, which is harmless.
        const signature =
          length | (bytes[from]! << 8) | (bytes[from + (length >> 1)]! << 16) | (bytes[to - 1]! << 24);
        for (let k = base; k < keys; k++)
          if (keySignature[k] === signature && sameBytes(bytes, keyStart[k]!, keyEnd[k]!, from, to))
            return refuse('duplicate_key', from - start, depth);
        if (length === 9 || length === 11) scan.suspectKey ||= isSuspect(bytes, from, to);
        keyStart[keys] = from;
        keyEnd[keys] = to;
        keySignature[keys++] = signature;
        if (keys - base > maxKeys) return refuse('too_many_keys', from - start, depth);
        continue;
      }
      if (names === undefined) {
        names = new Set();
        for (let k = base; k < keys; k++) names.add(nameAt(bytes, keyStart[k]!, keyEnd[k]!));
        nameSets[depth] = names;
      }
      const name = nameAt(bytes, from, to);
      if (names.has(name)) return refuse('duplicate_key', from - start, depth);
      names.add(name);
      if (names.size > maxKeys) return refuse('too_many_keys', from - start, depth);
      scan.suspectKey ||= name === '__proto__' || name === 'constructor';
    } else if (c === 0x2c) {
      expectKey = inObject[depth] === 1;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxDepth) return refuse('depth', i - 1 - start, depth);
      expectKey = c === 0x7b;
      inObject[depth] = c === 0x7b ? 1 : 0;
      firstKey[depth] = keys;
    } else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return refuse('json_syntax', i - 1 - start, depth);
      keys = firstKey[depth]!;
      if (nameSets[depth] !== undefined) nameSets[depth] = undefined;
      depth--;
      expectKey = false;
    } else if ((c >= 0x30 && c <= 0x39) || c === 0x2d) {
      const from = i - 1;
      let plain = true;
      while (i < end) {
        const d = bytes[i]!;
        if (d < 0x30 || d > 0x39) {
          if (d === 0x65 || d === 0x45) plain = false;
          else if (d !== 0x2e && d !== 0x2d && d !== 0x2b) break;
        }
        i++;
      }
      if (plain && i - from <= 15) continue;
      if (i - from > maxNumberBytes) return refuse('number_range', from - start, depth);
      const kind = judgeNumber(bytes.toString('latin1', from, i));
      if (kind === 'range') return refuse('number_range', from - start, depth);
      if (kind === 'big') scan.bigInteger = true;
      if (kind === 'big' && scan.at === -1) scan.at = from - start;
    } else {
      seen |= c;
    }
  }
  // Frames of a truncated text would otherwise leave their names behind.
  forgetNames(depth);
  scan.ascii = seen < 0x80;
  return scan;
}

// Not a closure: capturing `depth` would move the loop's variables to the heap.
function refuse(reason: JsonReason, at: number, depth: number): Scan {
  forgetNames(Math.min(depth, deepest));
  scan.reason = reason;
  scan.at = at;
  return scan;
}

function forgetNames(depth: number): void {
  for (let k = depth; k >= 0; k--) if (nameSets[k] !== undefined) nameSets[k] = undefined;
}

function sameBytes(bytes: Buffer, fromA: number, toA: number, fromB: number, toB: number): boolean {
  if (toA - fromA !== toB - fromB) return false;
  for (let a = fromA, b = fromB; a < toA; a++, b++) if (bytes[a] !== bytes[b]) return false;
  return true;
}

function isSuspect(bytes: Buffer, from: number, to: number): boolean {
  if (bytes[from] !== 0x5f && bytes[from] !== 0x63) return false;
  const name = bytes.toString('latin1', from, to);
  return name === '__proto__' || name === 'constructor';
}

// The name as JSON.parse will see it; '' stands for a name that is not JSON, which JSON.parse refuses later.
function nameAt(bytes: Buffer, from: number, to: number): string {
  const raw = bytes.toString('utf8', from, to);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return '';
  }
}

function judgeNumber(text: string): 'fine' | 'big' | 'range' {
  const value = Number(text);
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) ? 'fine' : 'big';
  if (value === Infinity || value === -Infinity) return 'range';
  // 1e-400 becomes 0; NaN is a syntax error for the parser.
  return value === 0 && /[1-9]/.test(text.replace(/[eE].*$/, '')) ? 'range' : 'fine';
}

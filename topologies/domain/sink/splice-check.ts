// Proves that bytes are exactly one JSON object, so that they can be pasted into an envelope and cannot break out of it.
//
// Invariant: accepted if and only if the bytes are valid UTF-8, JSON.parse accepts them, the value is an object, and its
// nesting is at most `deepest` (splice-check.prop.test.ts holds it against JSON.parse and TextDecoder).
// Surprise: this runs once per byte of everything that is forwarded. Strings are read four bytes at a time; nothing is
// allocated; the few members that envelopes need (event time, asset name) are noted on the way instead of being parsed.
import { isUtf8 } from 'node:buffer';
import type { JsonReason } from '@tocsin/schemas/codecs/json-reasons.ts';
import { createCheck, type Marks } from '@tocsin/schemas/codecs/scan/check.ts';

export type { Marks };

/** Deepest nesting of objects and arrays that is forwarded. */
export const deepest = 64;

/** Reasons by the number that `checkObject` returns; index 0 is acceptance. */
export const spliceReasons = [
  'ok',
  'empty',
  'utf8',
  'json_syntax',
  'depth',
  'not_object',
] as const satisfies readonly (JsonReason | 'ok')[];
export const spliceOk = 0;
const empty = 1;
const utf8 = 2;
const syntax = 3;
const tooDeep = 4;
const notObject = 5;

/** Fresh marks for one caller. */
export function createMarks(): Marks {
  return {
    timeStart: -1,
    timeEnd: -1,
    assetStart: -1,
    assetEnd: -1,
    idStart: -1,
    idEnd: -1,
    stampStart: -1,
    stampEnd: -1,
    loose: true,
  };
}

// What may come next.
const wantValue = 0;
const wantValueOrEnd = 1;
const wantKey = 2;
const wantKeyOrEnd = 3;
const wantCommaOrEnd = 4;

// The member whose value comes next, as far as marks care.
const noMember = 0;
const timeMember = 1;
const dataMember = 2;
const assetMember = 3;
const nameMember = 4;
const idMember = 5;
const stampMember = 6;

export type CheckSplice = (bytes: Buffer, start: number, end: number, marks: Marks) => number;

/**
 * A check with the answers of `checkObject`, faster where they are good news: the compiled scan proves what may pass, and
 * only what it does not prove is looked at again for the reason. For one caller at a time.
 */
export function createSpliceCheck(): CheckSplice {
  const proves = createCheck();
  return (bytes, start, end, marks) =>
    proves(bytes, start, end, marks) ? spliceOk : checkObject(bytes, start, end, marks);
}

const isObject = new Uint8Array(deepest + 2);
// Of the buffer that was checked last; the values of one batch share theirs.
let words: DataView = new DataView(new ArrayBuffer(0));
let notAscii = false;

/** 0 when `bytes[start, end)` is exactly one JSON object, surrounding white space allowed; else an index of `spliceReasons`. */
export function checkObject(bytes: Buffer, start: number, end: number, marks: Marks): number {
  marks.timeStart = -1;
  marks.assetStart = -1;
  marks.idStart = -1;
  marks.stampStart = -1;
  // Not looked for here: what comes this way is rare, and whoever wants one line looks himself.
  marks.loose = true;
  if (bytes.buffer !== words.buffer) words = new DataView(bytes.buffer);
  const view = words;
  const shift = bytes.byteOffset;
  notAscii = false;
  let i = start;
  while (i < end && isSpace(bytes[i]!)) i++;
  if (i === end) return empty;
  // A NUL is legal nowhere in JSON; in the first two bytes it means UTF-16 or UTF-32 (RFC 4627 section 3).
  if (bytes[i] === 0 || (i + 1 < end && bytes[i + 1] === 0)) return utf8;
  if (bytes[i++] !== 0x7b) return isUtf8(bytes.subarray(start, end)) ? notObject : utf8;
  isObject[1] = 1;
  let depth = 1;
  let want = wantKeyOrEnd;
  let member = noMember;
  // The object in which a key can matter: 1 the event, 2 its `data`, 3 the `asset` in it.
  let path = 1;
  while (i < end) {
    let c = bytes[i++]!;
    if (c === 0x2c) {
      if (want !== wantCommaOrEnd) return syntax;
      if (isObject[depth] === 1) {
        want = wantKey;
        if (i < end && bytes[i] === 0x22) {
          c = 0x22;
          i++;
        } else continue;
      } else {
        want = wantValue;
        continue;
      }
    }
    if (c === 0x22) {
      if (want >= wantKey) {
        if (want === wantCommaOrEnd) return syntax;
        const key = i;
        i = endOfString(bytes, view, shift, i, end);
        if (i < 0) return syntax;
        if (depth === path) member = memberOf(bytes, key, i - 1, depth);
        if (i >= end) return syntax;
        // A colon, nearly always right here.
        c = bytes[i++]!;
        if (c !== 0x3a) {
          while (isSpace(c) && i < end) c = bytes[i++]!;
          if (c !== 0x3a) return syntax;
        }
        want = wantValue;
        if (i >= end || bytes[i] !== 0x22) continue;
        i++;
      }
      const from = i;
      i = endOfString(bytes, view, shift, i, end);
      if (i < 0) return syntax;
      want = wantCommaOrEnd;
      if (member !== noMember) {
        noteMark(marks, member, from - 1, i);
        member = noMember;
      }
    } else if (c === 0x7d) {
      if ((want !== wantCommaOrEnd && want !== wantKeyOrEnd) || isObject[depth] !== 1) return syntax;
      if (path === depth && path > 1) path--;
      if (--depth === 0) {
        while (i < end) if (!isSpace(bytes[i++]!)) return syntax;
        return !notAscii || isUtf8(bytes.subarray(start, end)) ? spliceOk : utf8;
      }
      want = wantCommaOrEnd;
    } else if (c === 0x7b) {
      if (want > wantValueOrEnd) return syntax;
      if (++depth > deepest) return tooDeep;
      if (member === dataMember || member === assetMember) path = depth;
      if (member === stampMember) noteMark(marks, member, i - 1, -1);
      member = noMember;
      isObject[depth] = 1;
      want = wantKeyOrEnd;
    } else if (isSpace(c)) {
    } else if (c === 0x5b) {
      if (want > wantValueOrEnd) return syntax;
      if (++depth > deepest) return tooDeep;
      if (member === stampMember) noteMark(marks, member, i - 1, -1);
      member = noMember;
      isObject[depth] = 0;
      want = wantValueOrEnd;
    } else if (c === 0x5d) {
      if ((want !== wantCommaOrEnd && want !== wantValueOrEnd) || isObject[depth] !== 0) return syntax;
      depth--;
      want = wantCommaOrEnd;
    } else {
      if (want > wantValueOrEnd) return syntax;
      if (member === stampMember) noteMark(marks, member, i - 1, -1);
      i =
        c === 0x2d || (c >= 0x30 && c <= 0x39)
          ? endOfNumber(bytes, i - 1, end)
          : endOfLiteral(bytes, i - 1, end, c);
      if (i < 0) return syntax;
      member = noMember;
      want = wantCommaOrEnd;
    }
  }
  return syntax;
}

/** Position after the closing quote of the string whose text begins at `i`; -1 when it is not a JSON string. */
function endOfString(bytes: Buffer, view: DataView, shift: number, i: number, end: number): number {
  // Four bytes at a time while none is a quote, a backslash, a control character or above 0x7f (Hacker's Delight 6-1).
  for (; i < end - 3; i += 4) {
    const word = view.getInt32(shift + i, true);
    const found =
      (((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101) | (word - 0x20202020) | word) &
      0x80808080;
    if (found !== 0) {
      // The lowest flag is exact; the ones above it may be borrows.
      const bit = 31 - Math.clz32(found & -found);
      i += bit >> 3;
      return ((word >>> (bit - 7)) & 0xff) === 0x22 ? i + 1 : endOfHardString(bytes, i, end);
    }
  }
  return endOfHardString(bytes, i, end);
}

function endOfHardString(bytes: Buffer, from: number, end: number): number {
  let i = from;
  let seen = 0;
  while (i < end) {
    let d = bytes[i++]!;
    seen |= d;
    if (d > 0x22 && d !== 0x5c) continue;
    if (d === 0x22) {
      if (seen >= 0x80) notAscii = true;
      return i;
    }
    if (d < 0x20) return -1;
    if (d !== 0x5c) continue;
    if (i >= end) return -1;
    d = bytes[i++]!;
    if (d === 0x75) {
      if (end - i < 4) return -1;
      if (!isHex(bytes[i]!) || !isHex(bytes[i + 1]!) || !isHex(bytes[i + 2]!) || !isHex(bytes[i + 3]!))
        return -1;
      i += 4;
    } else if (!isEscape(d)) return -1;
  }
  return -1;
}

function noteMark(marks: Marks, member: number, from: number, to: number): void {
  if (member === timeMember) {
    marks.timeStart = from;
    marks.timeEnd = to;
  } else if (member === nameMember) {
    marks.assetStart = from;
    marks.assetEnd = to;
  } else if (member === idMember) {
    marks.idStart = from;
    marks.idEnd = to;
  } else if (member === stampMember) {
    marks.stampStart = from;
    marks.stampEnd = to;
  }
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

function isHex(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
}

// " \ / b f n r t
function isEscape(c: number): boolean {
  return (
    c === 0x22 ||
    c === 0x5c ||
    c === 0x2f ||
    c === 0x62 ||
    c === 0x66 ||
    c === 0x6e ||
    c === 0x72 ||
    c === 0x74
  );
}

/** RFC 8259 section 6; -1 when it is not a number. */
function endOfNumber(bytes: Buffer, start: number, end: number): number {
  let i = bytes[start] === 0x2d ? start + 1 : start;
  if (i < end && bytes[i] === 0x30) i++;
  else {
    const after = endOfDigits(bytes, i, end);
    if (after === i) return -1;
    i = after;
  }
  if (i < end && bytes[i] === 0x2e) {
    const after = endOfDigits(bytes, i + 1, end);
    if (after === i + 1) return -1;
    i = after;
  }
  if (i < end && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
    i++;
    if (i < end && (bytes[i] === 0x2b || bytes[i] === 0x2d)) i++;
    const after = endOfDigits(bytes, i, end);
    if (after === i) return -1;
    i = after;
  }
  return i;
}

function endOfDigits(bytes: Buffer, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i]! >= 0x30 && bytes[i]! <= 0x39) i++;
  return i;
}

function endOfLiteral(bytes: Buffer, start: number, end: number, first: number): number {
  if (first === 0x74) return matches(bytes, start, end, 0x72, 0x75, 0x65) ? start + 4 : -1;
  if (first === 0x6e) return matches(bytes, start, end, 0x75, 0x6c, 0x6c) ? start + 4 : -1;
  if (first === 0x66)
    return matches(bytes, start, end, 0x61, 0x6c, 0x73) && start + 4 < end && bytes[start + 4] === 0x65
      ? start + 5
      : -1;
  return -1;
}

function matches(bytes: Buffer, start: number, end: number, a: number, b: number, c: number): boolean {
  return start + 3 < end && bytes[start + 1] === a && bytes[start + 2] === b && bytes[start + 3] === c;
}

/** `depth` is that of the object the key stands in: 1 the event, 2 its data, 3 the asset in it. */
function memberOf(bytes: Buffer, from: number, to: number, depth: number): number {
  const length = to - from;
  if (depth === 1) {
    if (length === 9) return isWord(bytes, from, timestampKey) ? timeMember : noMember;
    if (length === 2) return isWord(bytes, from, idKey) ? idMember : noMember;
    if (length === 10) return isWord(bytes, from, stampKey) ? stampMember : noMember;
    return length === 4 && isWord(bytes, from, dataKey) ? dataMember : noMember;
  }
  if (depth === 2) return length === 5 && isWord(bytes, from, assetKey) ? assetMember : noMember;
  return length === 4 && isWord(bytes, from, nameKey) ? nameMember : noMember;
}

const timestampKey = Buffer.from('timestamp');
const dataKey = Buffer.from('data');
const assetKey = Buffer.from('asset');
const nameKey = Buffer.from('name');
const idKey = Buffer.from('id');
const stampKey = Buffer.from('@timestamp');

function isWord(bytes: Buffer, from: number, word: Buffer): boolean {
  for (let k = 0; k < word.length; k++) if (bytes[from + k] !== word[k]) return false;
  return true;
}

// Proves that bytes are exactly one JSON object, so that they can be pasted into an envelope and cannot break out of it.
//
// Invariant: true if and only if the bytes are valid UTF-8, JSON.parse accepts them, the value is an object, nesting is at most 64 and
// size at most 1 MiB (check.prop.test.ts). Duplicate names pass, as they do in JSON.parse.
// Surprise: false also stands for "too large for here"; whoever needs the reason, or has more than 1 MiB, asks the slow check.
import { documentBytes, markWords } from './layout.ts';
import { module } from './module.ts';

/**
 * Where members that envelopes use lie: byte positions in the checked buffer of JSON string values, quotes included; -1 without one. One
 * object is reused by all calls of a caller.
 */
export interface Marks {
  /** `timestamp` of the object; the last one, if there are several. */
  timeStart: number;
  timeEnd: number;
  /** `data.asset.name`. */
  assetStart: number;
  assetEnd: number;
  /** `id`. */
  idStart: number;
  idEnd: number;
  /** `@timestamp`, whatever its kind: the end is -1 when it is no string. */
  stampStart: number;
  stampEnd: number;
  /** False proves that the object is one line: there is no white space between its tokens, where alone a line feed may be. */
  loose: boolean;
}

/** Checks `bytes[start, end)`; sets `marks` when the answer is true. Copies the bytes; never throws; linear in their number. */
export type CheckObject = (bytes: Uint8Array, start: number, end: number, marks: Marks) => boolean;

/** The check. The first call in a process compiles the module, a few milliseconds. */
export function createCheck(): CheckObject {
  const { exports, document } = module();
  const found = new Int32Array(exports.memory.buffer, markWords, 9);
  return (bytes, start, end, marks) => {
    const size = end - start;
    if (size > documentBytes) return false;
    document.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, size));
    if (exports.check(size) === 0) return false;
    const [time, asset] = [found[0]!, found[2]!];
    marks.timeStart = time === -1 ? -1 : start + time;
    marks.timeEnd = start + found[1]!;
    marks.assetStart = asset === -1 ? -1 : start + asset;
    marks.assetEnd = start + found[3]!;
    const [id, stamp, stampEnd] = [found[4]!, found[6]!, found[7]!];
    marks.idStart = id === -1 ? -1 : start + id;
    marks.idEnd = start + found[5]!;
    marks.stampStart = stamp === -1 ? -1 : start + stamp;
    marks.stampEnd = stampEnd === -1 ? -1 : start + stampEnd;
    marks.loose = found[8] === 1;
    return true;
  };
}

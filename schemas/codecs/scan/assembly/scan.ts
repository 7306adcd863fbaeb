// One pass over a JSON object: validates every byte, and reports the elements at the paths of the tables.
//
// Invariant: the pass goes on only where the text so far can be the beginning of a JSON object; whatever it cannot resolve
// exactly ends it with a cause (irregularCauses in elements.ts).
// Surprise: duplicate names are found by signature alone, so a collision ends the scan of a valid document. `__proto__` and
// `constructor` stand in the list of every object from the start: they count as duplicates and cost nothing to look for.
import {
  documentBase,
  documentBytes,
  elementEnd,
  elementFlags,
  elementHash,
  elementKinds,
  elementOwner,
  elementRoom,
  elementSlot,
  elementStart,
  elementValue,
  frameBytes,
  frames,
  linearNames,
  maxDepth,
  maxKeyBytes,
  maxKeys,
  nameTable,
  nameTableSlots,
  scratch,
  signatures,
  tables,
} from '../layout';
import { addName, startNames } from './names';
import { endOfLiteral, endOfNumber, numberIsOdd, numberIsSlow, numberValue } from './number';
import { isAmbiguous, isName } from './paths';
import { afterSpace } from './space';
import {
  endOfEscaped,
  endOfPlain,
  endsIn,
  hashOf,
  hasNonAscii,
  isUtf8,
  keepFirst,
  setSeed,
  signatureOf,
  signatureOfShort,
} from './text';

export { check } from './check';
export { prepare } from './text';
export { hashOf as hash, signatureOf as signature };

const syntax = -1;
const limit = -2;
const number = -3;
const duplicate = -4;
const name = -5;
const ambiguous = -6;
const room = -7;

const kindString: u8 = 0;
const kindNumber: u8 = 1;
const kindTrue: u8 = 2;
const kindFalse: u8 = 3;
const kindNull: u8 = 4;
const kindObject: u8 = 5;
const kindEmptyList: u8 = 6;
const escaped: u8 = 1;
const nonAscii: u8 = 2;

/** Added to the count when an element's number is left to the host. */
const slowNumbers: i32 = 1 << 24;

// The two names that every object's list begins with.
let forbidden: v128 = i8x16.splat(0);
/** Number of the next object; stamps in the tables and in the table of names go by it. */
export let serials: u32 = 1;

/** Makes `value` the seed of all hashes and signatures from now on. */
export function seed(value: u32): void {
  setSeed(value);
  store<u64>(scratch, 0x5f6f746f72705f5f);
  store<u8>(scratch + 8, 0x5f);
  const proto = signatureOf(scratch, scratch + 9);
  store<u64>(scratch, 0x63757274736e6f63);
  store<u8>(scratch + 8, 0x74);
  store<u8>(scratch + 9, 0x6f);
  store<u8>(scratch + 10, 0x72);
  const builder = signatureOf(scratch, scratch + 11);
  forbidden = i32x4(proto as i32, builder as i32, 0, 0);
}

/** Whether numbers of objects begin anew, so that the tables must be written anew, without stamps. A document has fewer than 2^28 objects. */
export function needsFreshTables(): bool {
  if (serials < 0xf0000000) return false;
  serials = 1;
  // The table of names goes by the same numbers.
  memory.fill(nameTable, 0, nameTableSlots << 3);
  return true;
}

// @ts-ignore: decorator
@inline
function put(at: usize, slot: i32, kind: u8, start: usize, end: usize, owner: i32): void {
  const word = at << 2;
  store<i32>(elementSlot + word, slot);
  store<i32>(elementStart + word, (start - documentBase) as i32);
  store<i32>(elementEnd + word, (end - documentBase) as i32);
  store<i32>(elementHash + word, 0);
  store<i32>(elementOwner + word, owner);
  store<u8>(elementKinds + at, kind);
  store<u8>(elementFlags + at, 0);
}

/** Cause of a name that is in the object's list already. */
function repeated(signature: u32): i32 {
  return signature == (i32x4.extract_lane(forbidden, 0) as u32) ||
    signature == (i32x4.extract_lane(forbidden, 1) as u32)
    ? name
    : duplicate;
}

/**
 * Scans the `size` bytes at the document's place. Below zero: the cause. Else the number of elements, plus `slowNumbers`
 * when numbers are left to the host.
 */
export function scan(size: i32): i32 {
  if (size > documentBytes) return limit;
  const end: usize = documentBase + (size as usize);
  v128.store(end, i8x16.splat(0));
  let notAscii = false;
  {
    let seen = i8x16.splat(0);
    for (let p: usize = documentBase; p < end; p += 16) seen = v128.or(seen, v128.load(p));
    notAscii = i8x16.bitmask(seen) != 0;
  }
  startNames(serials);

  let count: usize = 0;
  let slow: i32 = 0;
  let depth: usize = 1;
  let node: usize = tables;
  let isObject = true;
  let serial = serials++;
  let owner: i32 = -1;
  let names: usize = signatures;
  let top: usize = signatures + 8;
  v128.store(signatures, forbidden);
  // Of the member whose value comes: the node it leads to, and the table entry of its name.
  let child: usize = 0;
  let matched: usize = 0;
  let more: i32 = 0;

  let i = afterSpace(documentBase);
  if (load<u8>(i) != 0x7b) return syntax;
  i++;
  let c: u32 = load<u8>(i);
  if (c <= 0x20) {
    i = afterSpace(i);
    c = load<u8>(i);
  }
  let hasNext = c != 0x7d;
  while (true) {
    if (hasNext) {
      hasNext = false;
      if (isObject) {
        if (c != 0x22) return syntax;
        const start = i + 1;
        const first = v128.load(start);
        const found = endsIn(first);
        let signature: u32;
        let head: v128;
        if (found != 0) {
          i = start + ctz(found);
          head = keepFirst(first, i - start);
          signature = signatureOfShort(head);
        } else {
          i = endOfPlain(start + 16);
          head = first;
          if (i - start > (maxKeyBytes as usize)) return limit;
          signature = signatureOf(start, i);
        }
        if (load<u8>(i) != 0x22) return load<u8>(i) == 0x5c ? name : syntax;
        // Has the object this name already?
        {
          const wanted = i32x4.splat(signature);
          let same = i8x16.splat(0);
          for (let p = names; p < top; p += 16) same = v128.or(same, i32x4.eq(v128.load(p), wanted));
          if (v128.any_true(same)) return repeated(signature);
          if (top - names < ((linearNames << 2) as usize)) {
            v128.store(top, i32x4.replace_lane(i8x16.splat(0), 0, signature));
            top += 4;
          } else {
            if (++more > maxKeys - linearNames + 2) return limit;
            const added = addName(signature, serial);
            if (added != 0) return added == 1 ? duplicate : room;
          }
        }
        child = 0;
        matched = 0;
        if (node != 0) {
          const mask = load<u32>(node);
          let entry: u32 = (signature << 5) & mask;
          while (true) {
            const at = node + 16 + (entry as usize);
            const target = load<u32>(at, 4);
            if (target == 0) break;
            if (load<u32>(at) == signature) {
              if (!isName(at, start, i, head)) return duplicate;
              child = target;
              matched = at;
              if (load<u32>(at, 24) != 0 && isAmbiguous(at, serial)) return ambiguous;
              break;
            }
            entry = (entry + 32) & mask;
          }
        }
        i++;
        c = load<u8>(i);
        if (c != 0x3a) {
          i = afterSpace(i);
          if (load<u8>(i) != 0x3a) return syntax;
        }
        i++;
        c = load<u8>(i);
        if (c <= 0x20) {
          i = afterSpace(i);
          c = load<u8>(i);
        }
      } else {
        child = node;
        matched = 0;
      }

      const slot = child != 0 ? load<i32>(child, 4) : -1;
      if (slot >= 0 && count == (elementRoom as usize)) return room;
      if (c == 0x22) {
        const start = i + 1;
        i = endOfPlain(start);
        let flags: u8 = 0;
        if (load<u8>(i) != 0x22) {
          i = endOfEscaped(i);
          if (i == 0) return syntax;
          flags = escaped;
        }
        if (slot >= 0) {
          put(count, slot, kindString, start, i, owner);
          store<i32>(elementHash + (count << 2), hashOf(start, i));
          if (notAscii && hasNonAscii(start, i)) flags |= nonAscii;
          store<u8>(elementFlags + count, flags);
          count++;
        }
        i++;
      } else if (c == 0x7b || c == 0x5b) {
        if (matched != 0) {
          if (load<u32>(matched, 20) == serial) return ambiguous;
          store<u32>(matched, serial, 16);
        }
        if (depth == (maxDepth as usize)) return limit;
        const frame = frames + depth * frameBytes;
        store<u32>(frame, node as u32);
        store<u32>(frame, isObject ? 1 : 0, 4);
        store<u32>(frame, names as u32, 8);
        store<u32>(frame, serial, 12);
        store<i32>(frame, owner, 16);
        store<i32>(frame, more, 20);
        depth++;
        node = child;
        isObject = c == 0x7b;
        const start = i;
        i++;
        c = load<u8>(i);
        if (c <= 0x20) {
          i = afterSpace(i);
          c = load<u8>(i);
        }
        if (isObject) {
          names = top;
          v128.store(top, forbidden);
          top += 8;
          serial = serials++;
          more = 0;
          store<i32>(frame, -1, 24);
          if (slot >= 0) {
            put(count, slot, kindObject, start, start, owner);
            store<i32>(frame, count as i32, 24);
            owner = count as i32;
            count++;
          }
          if (c != 0x7d) {
            hasNext = true;
            continue;
          }
        } else {
          if (c != 0x5d) {
            hasNext = true;
            continue;
          }
          if (slot >= 0) {
            put(count, slot, kindEmptyList, start, i + 1, owner);
            count++;
          }
        }
      } else if (c == 0x2d || c - 0x30 < 10) {
        const start = i;
        i = endOfNumber(i);
        if (i == 0) return numberIsOdd ? number : syntax;
        if (slot >= 0) {
          put(count, slot, kindNumber, start, i, owner);
          if (numberIsSlow) {
            slow = slowNumbers;
            store<u8>(elementFlags + count, 128);
          } else store<f64>(elementValue + (count << 3), numberValue);
          count++;
        }
      } else {
        const start = i;
        i = endOfLiteral(i);
        if (i == 0) return syntax;
        if (slot >= 0) {
          put(
            count,
            slot,
            c == 0x74 ? kindTrue : c == 0x66 ? kindFalse : kindNull,
            start,
            i,
            owner,
          );
          count++;
        }
      }
    }

    // After a value, or at the end of an empty container.
    c = load<u8>(i);
    if (c <= 0x20) {
      i = afterSpace(i);
      c = load<u8>(i);
    }
    if (c == 0x2c) {
      i++;
      c = load<u8>(i);
      if (c <= 0x20) {
        i = afterSpace(i);
        c = load<u8>(i);
      }
      hasNext = true;
      continue;
    }
    if (c != (isObject ? 0x7d : 0x5d)) return syntax;
    i++;
    depth--;
    if (depth == 0) break;
    const frame = frames + depth * frameBytes;
    if (isObject) {
      top = names;
      v128.store(top, i8x16.splat(0));
      const entry = load<i32>(frame, 24);
      if (entry >= 0) store<i32>(elementEnd + (entry << 2), (i - documentBase) as i32);
    }
    node = load<u32>(frame);
    isObject = load<u32>(frame, 4) != 0;
    names = load<u32>(frame, 8);
    serial = load<u32>(frame, 12);
    owner = load<i32>(frame, 16);
    more = load<i32>(frame, 20);
  }
  if (afterSpace(i) != end) return syntax;
  if (notAscii && !isUtf8(documentBase, end)) return syntax;
  return (count as i32) + slow;
}

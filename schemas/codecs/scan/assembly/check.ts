// One pass that only proves: the document is exactly one JSON object, with white space around it at most. For bytes that are
// pasted into an envelope.
//
// Invariant: accepted if and only if the bytes are valid UTF-8 and JSON, an object, nested to at most maxDepth. Duplicate
// names, large integers and odd names are not this pass's matter.
// Surprise: it notes what envelopes need: where the strings `timestamp`, `data.asset.name` and `id` lie, whether there is a
// member `@timestamp`, and whether there is white space (and so perhaps a line feed) between tokens.
import { documentBase, documentBytes, markWords, maxDepth } from '../layout';
import { endOfLiteral, endOfNumberText } from './number';
import { afterSpace } from './space';
import { endOfEscaped, endOfPlain, hasNonAscii, isUtf8 } from './text';

// Where the member leads whose value comes.
const nowhere = 0;
const toTime = 1;
const toData = 2;
const toAsset = 3;
const toName = 4;
const toId = 5;
const toStamp = 6;

/** `depth` is that of the object the name stands in: 1 the event, 2 its data, 3 the asset in it. */
function leadsTo(start: usize, length: usize, depth: i32): i32 {
  if (depth == 1) {
    // "timestamp", "@timestamp", "data", "id"
    if (length == 9)
      return load<u64>(start) == 0x6d617473656d6974 && load<u8>(start + 8) == 0x70 ? toTime : nowhere;
    if (length == 10)
      return load<u64>(start) == 0x617473656d697440 && load<u16>(start + 8) == 0x706d ? toStamp : nowhere;
    if (length == 2) return load<u16>(start) == 0x6469 ? toId : nowhere;
    return length == 4 && load<u32>(start) == 0x61746164 ? toData : nowhere;
  }
  // "asset", "name"
  if (depth == 2)
    return length == 5 && load<u32>(start) == 0x65737361 && load<u8>(start + 4) == 0x74 ? toAsset : nowhere;
  return length == 4 && load<u32>(start) == 0x656d616e ? toName : nowhere;
}

function noteOtherStamp(at: i32): void {
  store<i32>(markWords, at, 24);
  store<i32>(markWords, -1, 28);
}

/** 1 when the `size` bytes at the document's place are one JSON object; the marks are at `markWords` then. */
export function check(size: i32): i32 {
  if (size > documentBytes) return 0;
  const end: usize = documentBase + (size as usize);
  v128.store(end, i8x16.splat(0));
  const base: usize = documentBase;
  store<i32>(markWords, -1);
  store<i32>(markWords, -1, 8);
  store<i32>(markWords, -1, 16);
  store<i32>(markWords, -1, 24);
  let loose = load<u8>(base) <= 0x20;
  let depth = 1;
  // One bit for each open container, 1 for objects, the innermost lowest.
  let objects: u64 = 1;
  // The object in which a name can matter: 1 the event, 2 its data, 3 the asset in it.
  let path = 1;
  let member = nowhere;

  let i = afterSpace(base);
  if (load<u8>(i) != 0x7b) return 0;
  i++;
  let c: u32 = load<u8>(i);
  if (c <= 0x20) {
    loose = true;
    i = afterSpace(i);
    c = load<u8>(i);
  }
  let hasNext = c != 0x7d;
  while (true) {
    if (hasNext) {
      hasNext = false;
      if (objects & 1) {
        if (c != 0x22) return 0;
        const start = i + 1;
        i = endOfPlain(start);
        if (load<u8>(i) != 0x22) {
          i = endOfEscaped(i);
          if (i == 0) return 0;
        }
        if (depth == path) member = leadsTo(start, i - start, depth);
        i++;
        c = load<u8>(i);
        if (c != 0x3a) {
          loose = true;
          i = afterSpace(i);
          if (load<u8>(i) != 0x3a) return 0;
        }
        i++;
        c = load<u8>(i);
        if (c <= 0x20) {
          loose = true;
          i = afterSpace(i);
          c = load<u8>(i);
        }
      }
      if (c == 0x22) {
        const start = i;
        i = endOfPlain(start + 1);
        if (load<u8>(i) != 0x22) {
          i = endOfEscaped(i);
          if (i == 0) return 0;
        }
        i++;
        if (member != nowhere) {
          if (member == toTime) {
            store<i32>(markWords, (start - base) as i32);
            store<i32>(markWords, (i - base) as i32, 4);
          } else if (member == toName) {
            store<i32>(markWords, (start - base) as i32, 8);
            store<i32>(markWords, (i - base) as i32, 12);
          } else if (member == toId) {
            store<i32>(markWords, (start - base) as i32, 16);
            store<i32>(markWords, (i - base) as i32, 20);
          } else if (member == toStamp) {
            store<i32>(markWords, (start - base) as i32, 24);
            store<i32>(markWords, (i - base) as i32, 28);
          }
          member = nowhere;
        }
      } else if (c == 0x7b || c == 0x5b) {
        if (depth == maxDepth) return 0;
        depth++;
        const isObject = c == 0x7b;
        objects = (objects << 1) | (isObject ? 1 : 0);
        if (isObject && (member == toData || member == toAsset)) path = depth;
        if (member == toStamp) noteOtherStamp((i - base) as i32);
        member = nowhere;
        i++;
        c = load<u8>(i);
        if (c <= 0x20) {
          loose = true;
          i = afterSpace(i);
          c = load<u8>(i);
        }
        if (c != (isObject ? 0x7d : 0x5d)) {
          hasNext = true;
          continue;
        }
      } else {
        if (member == toStamp) noteOtherStamp((i - base) as i32);
        i = c == 0x2d || c - 0x30 < 10 ? endOfNumberText(i) : endOfLiteral(i);
        if (i == 0) return 0;
        member = nowhere;
      }
    }

    // After a value, or at the end of an empty container.
    c = load<u8>(i);
    if (c <= 0x20) {
      loose = true;
      i = afterSpace(i);
      c = load<u8>(i);
    }
    if (c == 0x2c) {
      i++;
      c = load<u8>(i);
      if (c <= 0x20) {
        loose = true;
        i = afterSpace(i);
        c = load<u8>(i);
      }
      hasNext = true;
      continue;
    }
    if (c != (objects & 1 ? 0x7d : 0x5d)) return 0;
    i++;
    if (path == depth && path > 1) path--;
    objects >>= 1;
    if (--depth == 0) break;
  }
  if (load<u8>(i) <= 0x20 && i != end) loose = true;
  if (afterSpace(i) != end) return 0;
  store<i32>(markWords, loose ? 1 : 0, 32);
  return hasNonAscii(base, end) && !isUtf8(base, end) ? 0 : 1;
}

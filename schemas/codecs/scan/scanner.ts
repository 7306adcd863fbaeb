// Finds the elements at wanted paths in the bytes of an event without parsing it: one pass, no object, no string.
//
// Invariant: `scanOk` implies that parseJson accepts the document and drops nothing, and that the elements are those that
// reading the parsed document along the paths gives (scanner.prop.test.ts).
// Surprise: all scanners share one WebAssembly memory, in which the tables of one of them lie at a time; switching between
// scanners copies tables, so use one for many documents in a row.
import { type Elements, elementFlag, type Scanner, scanOk } from './elements.ts';
import { documentBytes, tables } from './layout.ts';
import { elementViews, hashBytes, module, signatureOf, useSeed } from './module.ts';
import { layTables } from './tables.ts';

const limit = 2;
// Marks of the module: the count has numbers that are left to us, and they have this flag.
const slowNumbers = 1 << 24;
const slowNumber = 128;

/** Whose tables lie in the memory. */
let current: Uint8Array | null = null;
let shared: (Elements & { count: number }) | null = null;

/**
 * A scanner for `paths`; the index of a path is the slot of its elements. Paths are read as rules read them: nested
 * members first, then names with dots; lists are opened. `seed` is that of the hashes, any 32-bit integer; scanners with
 * the same seed hash alike. Throws RangeError for an empty path or segment, a segment with a dot, a path given twice, and
 * for tables above 8 MiB.
 */
export function createScanner(paths: readonly (readonly string[])[], seed: number): Scanner {
  const { exports, bytes, document } = module();
  const own = layTables(paths, (name) => signatureOf(name, seed));
  shared ??= elementViews();
  const elements = shared;
  return {
    elements,
    scan(source, start, end) {
      elements.count = 0;
      if (end - start > documentBytes) return limit;
      useSeed(seed);
      if (exports.needsFreshTables() !== 0 || current !== own) {
        bytes.set(own, tables);
        current = own;
      }
      document.set(new Uint8Array(source.buffer, source.byteOffset + start, end - start));
      const found = exports.scan(end - start);
      if (found < 0) return -found;
      elements.count = found & (slowNumbers - 1);
      if (found >= slowNumbers) convertNumbers(elements);
      return scanOk;
    },
    text(index) {
      const [from, to] = [elements.start[index]!, elements.end[index]!];
      const flags = elements.flags[index]!;
      if ((flags & elementFlag.escaped) !== 0)
        return JSON.parse(elements.memory.toString('utf8', from - 1, to + 1)) as string;
      return elements.memory.toString(flags === 0 ? 'latin1' : 'utf8', from, to);
    },
    hash: (text) => hashBytes(text, seed),
    hashRange(from, to) {
      useSeed(seed);
      return exports.hash(document.byteOffset + from, document.byteOffset + to);
    },
  };
}

/** Hash of UTF-8 text as `Scanner.hash` of any scanner with that seed gives it; for compiling rules before there is a scanner. */
export function hashText(text: Uint8Array, seed: number): number {
  return hashBytes(text, seed);
}

function convertNumbers(elements: Elements): void {
  for (let k = 0; k < elements.count; k++) {
    if (elements.flags[k] !== slowNumber) continue;
    elements.flags[k] = 0;
    elements.value[k] = Number(elements.memory.toString('latin1', elements.start[k], elements.end[k]));
  }
}

// Finds the elements at wanted paths in the bytes of an event without parsing it: one pass, no object, no string.
import type { Scanner } from './elements.ts';

/**
 * A scanner for `paths`; the index of a path is the slot of its elements. Paths are read as rules read them: nested
 * members first, then names with dots; lists are opened. `seed` is that of the hashes, any 32-bit integer; scanners with the same seed hash
 * alike. Throws RangeError for an empty path, a path given twice, and tables above 8 MiB (some 20,000 paths).
 */
export declare function createScanner(paths: readonly (readonly string[])[], seed: number): Scanner;

/** Hash of UTF-8 text as `Scanner.hash` of any scanner with that seed gives it; for compiling rules before a scanner exists. */
export declare function hashText(text: Uint8Array, seed: number): number;
